"""Start of a live run: it waits for Redis and Kafka within a limit."""

import json
from pathlib import Path
from time import monotonic

import pytest

from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import running, tacit
from tests.support.monitoring_client import get
from tests.support.ports import free_port
from tests.support.redis_faults import fragile_redis


@pytest.fixture
def unreachable() -> str:
    """Return the URL of a topic on a broker that does not exist."""
    return f"kafka://127.0.0.1:{free_port()}/events"


def _waits(log: str) -> list[str]:
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line["service"] for line in lines if line["event"] == "start.waiting"]


def test_start_waits_for_redis_and_then_for_kafka(unreachable: str, tmp_path: Path) -> None:
    """With one line per service; SIGTERM ends the wait."""
    with fragile_redis(tmp_path) as server:
        server.kill()
        words = ["run", unreachable, "--redis", server.url, "--metrics", "off", "--start-within", "none"]
        with running(words, tmp_path / "log", {"connectors.kafka.offsets.CONNECT_MS": 300}) as run:
            run.wait_for(lambda: _waits(run.output) == ["redis"], "the wait for Redis")
            server.start()
            run.wait_for(lambda: _waits(run.output) == ["redis", "kafka"], "the wait for Kafka")
            assert run.stop() == 0


def test_readyz_shows_the_service_that_the_start_waits_for(unreachable: str, tmp_path: Path) -> None:
    """With its address and the kind of the error, and without a password."""
    port = free_port()
    with fragile_redis(tmp_path) as server:
        url = server.url.replace("redis://", "redis://default:s3cret@")
        server.kill()
        words = ["run", unreachable, "--redis", url, "--metrics", f"127.0.0.1:{port}", "--start-within", "none"]
        with running(words, tmp_path / "log", {"connectors.kafka.offsets.CONNECT_MS": 300}) as run:
            run.wait_for(
                lambda: "did not answer: the connection was refused or broke (CONNECTION)" in _detail(port),
                "the wait for Redis",
            )
            assert _detail(port).startswith("waits for Redis: Redis at ")
            assert "s3cret" not in _detail(port)
            server.start()
            run.wait_for(lambda: "no answer within" in _detail(port), "the wait for Kafka")
            assert _detail(port).startswith(f"waits for Kafka: {unreachable}: ")
            assert run.stop() == 0


def test_stop_does_not_wait_for_a_look_in_progress(unreachable: str, tmp_path: Path) -> None:
    """A look at Kafka lasts a minute here."""
    with fragile_redis(tmp_path) as server:
        port = free_port()
        words = ["run", unreachable, "--redis", server.url, "--metrics", f"127.0.0.1:{port}", "--start-within", "none"]
        with running(words, tmp_path / "log", {"connectors.kafka.offsets.CONNECT_MS": 60_000}) as run:
            run.wait_for(lambda: _detail(port) == f"waits for Kafka: {unreachable}", "the look at Kafka")
            began_s = monotonic()
            assert run.stop() == 0
            assert monotonic() - began_s < 3


def _detail(port: int) -> str:
    """Return the detail of the one reason of /readyz; empty before the server listens."""
    try:
        [reason] = json.loads(get(port, "/readyz")[1])["reasons"]
    except OSError:
        return ""
    assert reason["reason"] == "starting"
    return str(reason.get("detail", ""))


def test_start_fails_with_the_cause_after_the_wait(unreachable: str, tmp_path: Path) -> None:
    """The error is that of a start without a wait."""
    url = f"unix://{tmp_path}/missing.sock"
    done = tacit("run", unreachable, "--redis", url, "--metrics", "off", "--start-within", "0.1", cwd=tmp_path)
    assert done.returncode == 1
    assert "did not answer: the connection was refused or broke (CONNECTION)" in done.stderr.splitlines()[-1]


def test_wrong_password_is_not_waited_for(unreachable: str, tmp_path: Path) -> None:
    """Waiting does not change it."""
    with EmbeddedRedis(options=("--requirepass", "right")) as server:
        url = server.url.replace("unix://", "unix://default:wrong@")
        done = tacit("run", unreachable, "--redis", url, "--metrics", "off", "--start-within", "none", cwd=tmp_path)
    assert done.returncode == 1
    assert "rejects the connection" in done.stderr.splitlines()[-1]
    assert _waits(done.stderr) == []
