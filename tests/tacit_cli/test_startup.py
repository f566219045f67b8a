"""Start-up: a command imports the packages that it needs, and no others (`python -m benchmarks.startup` measures)."""

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tacit.contract.keys import RegionKeys
from tests.support.commands import environment

HEAVY = frozenset(
    {
        "bytewax", "kafka", "matplotlib", "numpy", "obstore", "pandas", "prometheus_client", "pydantic", "river",
        "rocksdict", "scipy", "sklearn", "structlog", "zstandard",
    }
)  # fmt: skip
CODE = """
import atexit, gc, pathlib, sys
atexit.register(lambda: pathlib.Path("modules").write_text("\\n".join(sys.modules)))
atexit.register(lambda: pathlib.Path("gc").write_text(str(gc.isenabled())))
from tacit_cli.__main__ import main
main()
"""


def _imported(folder: Path, *words: str, **variables: str) -> set[str]:
    """Return the packages that a command has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return {module.partition(".")[0] for module in (folder / "modules").read_text().splitlines()}


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"], ["redis", "acl"], ["redis", "--help"]])
def test_command_without_a_server_imports_neither_engine_nor_redis(words: list[str], tmp_path: Path) -> None:
    """Also no rich: help is plain text."""
    assert _imported(tmp_path, *words) & {*HEAVY, "redis", "rich"} == set()


@pytest.mark.parametrize("words", [["show", "u:ada"], ["diff", "live", "shadow"], ["promote", "live"], ["uplift"]])
def test_command_for_signals_imports_redis_and_no_engine(words: list[str], tmp_path: Path, redis_url: str) -> None:
    """The client's libraries are enough."""
    with redis.Redis.from_url(redis_url) as client:
        for namespace in ("live", "shadow"):
            client.sadd(RegionKeys("eu").namespaces, namespace)
            client.hset(RegionKeys("eu").within(namespace).signals(bytes(16)), "_status", "{}")
    imported = _imported(tmp_path, *words, TACIT_REDIS=redis_url)
    assert "redis" in imported
    assert imported & HEAVY == set()


def test_show_imports_the_client_and_no_connector_to_redis(tmp_path: Path, redis_url: str) -> None:
    """`tacit show` reads exactly as an assistant does."""
    assert "operators" not in _imported(tmp_path, "show", "u:ada", TACIT_REDIS=redis_url)


def test_help_imports_no_package_of_the_worker(tmp_path: Path) -> None:
    """The list of commands is a table of names; `dataflows` has the handlers of signals, which come first."""
    assert _imported(tmp_path, "--help") & {"connectors", "operators", "state", "tacit_lab"} == set()


def test_garbage_is_collected_while_a_command_runs(tmp_path: Path) -> None:
    """It is off during imports only."""
    _imported(tmp_path, "redis", "acl")
    assert (tmp_path / "gc").read_text() == "True"


TRAINING = """
import sys
import dataflows.graph, dataflows.population_run, operators.learn_population, state.learning.proof_trainer
import state.learning.scoring, tacit_cli.run_command
print(sorted({"scipy", "sklearn"} & set(sys.modules)))
"""


def test_worker_imports_no_scipy() -> None:
    """Metrics and drift detectors of River import it, in half a second; a worker that trains needs none of them."""
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
