"""Live runs that fail: a temporary failure causes a restart, a permanent failure ends the run at once."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.state_folder import Identity, locked
from tests.support.commands import Limits, running, tacit
from tests.support.factories import CATALOGUE
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own

SHORT_PAUSES: Limits = {
    "connectors.kafka.client_options.CONNECT_MS": 300,
    "dataflows.runtime.live.MAX_QUICK_FAILURES": 3,
    "dataflows.runtime.live._PAUSE_S": 0.01,
}


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a Redis."""
    with redis_of_its_own() as (url, _):
        yield url


@pytest.fixture
def unreachable() -> str:
    """Return the URL of a topic on a broker that does not exist."""
    return f"kafka://127.0.0.1:{free_port()}/events"


def _failures(log: str) -> int:
    """Return the number of failures with a restart."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return sum(line["event"] == "run.failed" for line in lines)


def test_failing_run_is_restarted_up_to_a_limit(unreachable: str, url: str, tmp_path: Path) -> None:
    """With a state folder; the last line is the cause."""
    words = ("--redis", url, "--state", "state", "--metrics", "off")
    done = tacit("run", unreachable, *words, cwd=tmp_path, limits=SHORT_PAUSES)
    assert done.returncode == 1
    assert _failures(done.stderr) == 2
    assert done.stderr.splitlines()[-1].startswith(f"tacit: {unreachable}: no answer within")


def test_run_without_state_folder_is_not_restarted(unreachable: str, url: str, tmp_path: Path) -> None:
    """A restart would read from --start; a warning recommends a state folder."""
    done = tacit("run", unreachable, "--redis", url, "--metrics", "off", cwd=tmp_path, limits=SHORT_PAUSES)
    assert done.returncode == 1
    assert _failures(done.stderr) == 0
    assert '"event": "state.not_kept"' in done.stderr


def test_run_with_a_wrong_setting_is_not_restarted(unreachable: str, url: str, tmp_path: Path) -> None:
    """A port in use is a wrong configuration."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = tacit("run", unreachable, "--redis", url, "--state", "state", "--metrics", address, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"tacit: metrics: {address} cannot be bound")
    assert _failures(done.stderr) == 0


def test_run_is_not_restarted_after_a_stop_request(unreachable: str, url: str, tmp_path: Path) -> None:
    """A stop request ends the pause before a restart at once, in order: the state is that of the last checkpoint."""
    words = ["run", unreachable, "--redis", url, "--state", str(tmp_path / "state"), "--metrics", "off"]
    with running(words, tmp_path / "log", {**SHORT_PAUSES, "dataflows.runtime.live._PAUSE_S": 3600}) as run:
        run.wait_for(lambda: _failures(run.output), "the first failure")
        assert run.stop() == 0
        assert "tacit:" not in run.output


def test_stop_request_ends_the_start_of_a_restart(unreachable: str, url: str, tmp_path: Path) -> None:
    """Kafka does not answer, and the start waits for it."""
    words = ["run", unreachable, "--redis", url, "--state", str(tmp_path / "state"), "--metrics", "off"]
    with running(words, tmp_path / "log", {**SHORT_PAUSES, "connectors.kafka.client_options.CONNECT_MS": 3_000}) as run:
        run.wait_for(lambda: _failures(run.output), "the first failure")
        assert run.stop() == 0
        assert "tacit:" not in run.output


def test_run_with_the_folder_of_another_topic_is_not_restarted(unreachable: str, url: str, tmp_path: Path) -> None:
    """The failure is permanent."""
    with locked(tmp_path / "state", Identity(16, "eu", "live", "topic events-old", "5ec2e7"), CATALOGUE):
        pass
    done = tacit("run", unreachable, "--redis", url, "--state", "state", cwd=tmp_path)
    assert done.returncode == 1
    assert "was made for source 'topic events-old', not 'topic events'" in done.stderr
    assert _failures(done.stderr) == 0


def test_run_without_redis_does_not_start(unreachable: str, tmp_path: Path) -> None:
    """A run without a destination reads no record."""
    done = tacit("run", unreachable, "--redis", f"unix://{tmp_path}/missing.sock", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "did not answer: the connection was refused or broke (CONNECTION); "
        "check the URL, its user and password, and the server"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["events.jsonl"], "tacit: source: "),
        (["kafka://a:1/x", "kafka://a:1/y"], "Got unexpected extra argument(s) (kafka://a:1/y)"),
        (["kafka://a:1/x", "y.jsonl"], "Got unexpected extra argument(s) (y.jsonl)"),
    ],
)
def test_run_reads_one_topic(words: list[str], error: str, url: str, tmp_path: Path) -> None:
    """A live run has one topic as its source, and no files."""
    done = tacit("run", *words, "--redis", url, cwd=tmp_path)
    assert done.returncode == 2
    assert error in done.stderr
