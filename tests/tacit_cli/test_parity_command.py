"""tacit_cli/parity_command: a replay of a history has parity with itself, and a change is found."""

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.commands import everything_in, tacit
from tests.support.ports import free_port
from tests.support.replays import replay, write_history


@pytest.fixture
def served(redis_url: str, tmp_path: Path) -> str:
    """Return a Redis in which a history was replayed, with a population model that learned along."""
    write_history(tmp_path / "events.jsonl", users=40, turns=1_500)
    replay(redis_url, "events.jsonl", "--population", "learn", cwd=tmp_path)
    return redis_url


def run(*words: str, url: str, cwd: Path, status: int = 0) -> Any:
    done = tacit("parity", *words, "--redis", url, "--json", cwd=cwd)
    assert (done.returncode, done.stderr) == (status, "")
    return json.loads(done.stdout)


def test_history_is_run_again_and_compared(served: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    """Nothing is written to Redis; a sample is the same each time; the metrics have the rate."""
    before, files = everything_in(redis_client), [path.name for path in tmp_path.iterdir()]
    found = run("events.jsonl", "--population", "learn", "--metrics-file", "tacit.prom", url=served, cwd=tmp_path)
    assert found["population"] > 0
    assert found["users"]["compared"] == sum(found["users"].values()) >= 35
    assert found["rate"] > 0.9
    assert everything_in(redis_client) == before
    lines = (tmp_path / "tacit.prom").read_text().splitlines()
    (rate,) = [line for line in lines if line.startswith("tacit_parity_rate{")]
    assert rate.startswith('tacit_parity_rate{namespace="live",region="eu"} 0.9') or rate.endswith(" 1.0")
    small = run("events.jsonl", "--sample", "10", url=served, cwd=tmp_path)
    assert sum(small["users"].values()) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*files, "tacit.prom"])


def test_replay_without_a_population_has_full_parity(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    """Byte for byte; a changed signal is found, and the status is 1 below the wanted rate."""
    write_history(tmp_path / "events.jsonl", users=20, turns=600)
    replay(redis_url, "events.jsonl", "--population", "none", cwd=tmp_path)
    words = ("events.jsonl", "--population", "none", "--tolerance", "0", "--fail-under", "1")
    found = run(*words, url=redis_url, cwd=tmp_path)
    assert found["rate"] == 1
    assert found["difference"]["identical"] == found["users"]["compared"]
    (key, *_) = sorted(redis_client.scan_iter("*:signals"))
    facet = sorted(name for name in map(str, redis_client.hkeys(key)) if not name.startswith("_"))[0]
    signal = json.loads(redis_client.hget(key, facet) or "")
    redis_client.hset(key, facet, json.dumps({**signal, "value": "other"}))
    changed = run(*words, url=redis_url, cwd=tmp_path, status=1)
    assert changed["signals"]["compared"] - changed["signals"]["same"] == 1
    assert changed["difference"]["causes"] == {"unexplained": 1}


def test_users_with_other_events_are_not_compared(redis_url: str, tmp_path: Path) -> None:
    """A history that ends too early or begins too late proves nothing about them."""
    write_history(tmp_path / "events.jsonl", users=20, turns=600)
    replay(redis_url, "events.jsonl", "--population", "none", cwd=tmp_path)
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    half = len(lines) // 2
    consents = [line for line in lines[:half] if b'"type":"consent"' in line]
    (tmp_path / "first.jsonl").write_bytes(b"".join(lines[:half]))
    (tmp_path / "last.jsonl").write_bytes(b"".join([*consents, *lines[half:]]))
    first = run("first.jsonl", "--population", "none", url=redis_url, cwd=tmp_path)
    assert first["users"]["newer"] > 0
    last = run("last.jsonl", "--population", "none", url=redis_url, cwd=tmp_path)
    assert last["users"]["incomplete"] > 0
    for found in (first, last):
        assert found["rate"] in (None, 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--namespace", "shadwo"), "namespace: shadwo was never written in region eu"),
        (("--population", "7"), "population: version 7 is not kept in namespace live"),
        (("--sample", "0", "--fail-under", "2"), "fail-under: 2 is no rate"),
        (("--metrics-file", "missing/tacit.prom"), "metrics file missing/tacit.prom: cannot be written"),
    ],
)
def test_error_has_status_2(redis_url: str, words: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    write_history(tmp_path / "events.jsonl", users=3, turns=20)
    replay(redis_url, "events.jsonl", "--population", "none", cwd=tmp_path)
    done = tacit("parity", "events.jsonl", "--redis", redis_url, *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tacit: {reason}")


def test_silent_redis_has_status_2(tmp_path: Path) -> None:
    write_history(tmp_path / "events.jsonl", users=3, turns=20)
    limits = {"dataflows.parity.measure.COMMAND_RETRY_FOR_S": 0.1}
    url = f"redis://127.0.0.1:{free_port()}"
    done = tacit("parity", "events.jsonl", "--redis", url, cwd=tmp_path, limits=limits)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did not answer" in done.stderr
