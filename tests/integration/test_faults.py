"""Live runs through failures of Redis and Kafka: runs recover by themselves, and signals are unaffected."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Limits, Running, everything_in, running
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_topics import Kafka
from tests.support.live_run import History, Live
from tests.support.monitoring_client import health, scrape
from tests.support.redis_faults import FragileRedis, fragile_redis

pytestmark = KAFKA_TEST

LIMITS: Limits = {
    "connectors.redis.client.TIMEOUT_S": 0.3,
    "connectors.kafka.watcher.LOOK_EVERY_S": 0.2,
    "dataflows.observability.watch.STALLED_AFTER_S": 2,
    "dataflows.runtime.live._PAUSE_S": 0.1,
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> History:
    return History.made(tmp_path_factory.mktemp("history"), turns=3_000, kafka=kafka)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FragileRedis]:
    with fragile_redis(tmp_path) as server:
        yield server


@pytest.fixture
def live(history: History, kafka: Kafka, server: FragileRedis, tmp_path: Path) -> Live:
    made = Live(history, kafka, server, tmp_path)
    made.produce(0)
    return made


def test_frozen_redis_is_waited_for(live: Live, server: FragileRedis, tmp_path: Path) -> None:
    """The process is unhealthy meanwhile; afterwards Redis holds the bytes of an undisturbed run."""
    with running(live.words(), tmp_path / "log", LIMITS) as run:
        live.wait_for_first_half(run)
        live.wait_for_health(run, 200)
        server.pause()
        live.produce(1)
        live.wait_for_health(run, 503)
        run.wait_for(lambda: scrape(live.port)["tacit_redis_retries_total"] > 0, "a repeated write")
        server.resume()
        live.wait_until_equal(run)
        live.wait_for_health(run, 200)
        assert run.stop() == 0
    assert _events(run, "redis.failed", "redis.recovered") == ["redis.failed", "redis.recovered"]


def test_redis_without_memory_is_waited_for(live: Live, server: FragileRedis, tmp_path: Path) -> None:
    """No signal is evicted or lost; the run continues as soon as Redis has memory again."""
    with running(live.words(), tmp_path / "log", LIMITS) as run:
        live.wait_for_first_half(run)
        server.client.config_set("maxmemory", 1)
        live.produce(1)
        live.wait_for_health(run, 503)
        server.client.config_set("maxmemory", 0)
        live.wait_until_equal(run)
        assert run.stop() == 0
    (failure,) = [line for line in _logged(run) if line["event"] == "redis.failed"]
    assert failure["codes"] == ["OOM"]


def test_emptied_redis_receives_all_users_again(live: Live, server: FragileRedis, tmp_path: Path) -> None:
    """Gates have the bytes of an undisturbed run; no signal is missing, or older than there."""
    with running(live.words(), tmp_path / "log", LIMITS) as run:
        live.wait_for_first_half(run)
        server.kill()
        live.produce(1)
        live.wait_for_health(run, 503)
        server.start()
        live.wait_for_health(run, 200)
        run.wait_for(lambda: _is_caught_up(live), "the second half to be read")
        assert run.stop() == 0
    held, left = everything_in(server.client), live.history.left
    assert held.keys() == left.keys()
    assert _gates(held) == _gates(left)
    users = [key for key in held if key.endswith(":signals")]
    assert len(users) > 50
    for user in users:
        versions, earlier = _versions(held[user]), _versions(left[user])
        assert versions.keys() == earlier.keys()
        assert all(versions[facet] >= earlier[facet] for facet in versions)


def _gates(found: dict[str, Any]) -> dict[str, Any]:
    return {key: content for key, content in found.items() if key.endswith(":gate")}


def _versions(signals: dict[str, str]) -> dict[str, str]:
    """Return facet → the state of which the signal is."""
    return {facet: json.loads(signal)["v"] for facet, signal in signals.items()}


def test_lasting_outage_of_redis_ends_the_run(live: Live, server: FragileRedis, tmp_path: Path) -> None:
    """The run ends within its limit with status 1; the last line states the cause and the remedy."""
    limits = {"connectors.redis.client.RETRY_FOR_S": 1, **LIMITS}
    with running(live.words(), tmp_path / "log", limits) as run:
        live.wait_for_first_half(run)
        server.kill()
        live.produce(1)
        assert run.process.wait(30) == 1
    assert run.output.splitlines()[-1] == (
        f"tacit: Redis at {server.address} did not answer within 1 s: the connection was refused or broke "
        "(CONNECTION); check the URL, the network and the "
        "server; then start Tacit again: with a state folder, the run resumes from its last checkpoint"
    )
    server.start()


def test_run_that_gave_up_on_redis_starts_again_from_its_state(
    live: Live, server: FragileRedis, tmp_path: Path
) -> None:
    """The run restarts until Redis is back; failed attempts leave no thread or connection."""
    limits = {"connectors.redis.client.RETRY_FOR_S": 0.3, "dataflows.runtime.live.MAX_QUICK_FAILURES": 100, **LIMITS}
    with running(live.words(*live.state()), tmp_path / "log", limits) as run:
        live.wait_for_first_half(run)
        threads = _threads(run)
        server.pause()
        live.produce(1)
        run.wait_for(lambda: len(_events(run, "run.failed")) > 3, "failures")
        server.resume()
        live.wait_until_equal(run)
        assert _threads(run) <= threads
        assert run.stop() == 0


def test_killed_process_is_started_again_with_the_others(live: Live, tmp_path: Path) -> None:
    """All processes restart from the last checkpoint; signals are unaffected."""
    with running(live.words(*live.state(), "--processes", "2"), tmp_path / "log") as run:
        run.wait_for(lambda: _is_read(live, live.history.records // 2), "the first half")
        before = _workers(run)
        os.kill(before[1], signal.SIGKILL)
        live.produce(1)
        live.wait_until_equal(run)
        assert set(before) & set(_workers(run)) == set()
        assert run.stop() == 0
    (failed,) = [line for line in _logged(run) if line["event"] == "run.failed"]
    assert failed["error"] == "the process tacit-1 was ended by SIGKILL"


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_absent_broker_is_waited_for(
    fault: str, broker: Broker, history: History, server: FragileRedis, tmp_path: Path
) -> None:
    """The process is unhealthy meanwhile; afterwards reading continues."""
    live = Live(history, broker, server, tmp_path)
    live.produce(0)
    with running(live.words(), tmp_path / "log", LIMITS) as run:
        live.wait_for_first_half(run)
        broker.pause() if fault == "freeze" else broker.kill()
        live.wait_for_health(run, 503)
        broker.resume() if fault == "freeze" else broker.start()
        live.produce(1)
        live.wait_until_equal(run)
        live.wait_for_health(run, 200)
        assert run.stop() == 0
    assert "Traceback" not in run.output


def _logged(run: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]


def _events(run: Running, *names: str) -> list[str]:
    return [line["event"] for line in _logged(run) if line["event"] in names]


def _is_caught_up(live: Live) -> bool:
    """Return True if all records are read, and all their writes are acknowledged."""
    samples = scrape(live.port)
    counted = sum(v for name, v in samples.items() if name.startswith(("tacit_events_", "tacit_rejects_")))
    return counted == live.history.records and set(_lags(samples)) == {0.0}


def _is_read(live: Live, records: int) -> bool:
    """Return True if the processes of a run have read `records` records together."""
    ports = (live.port, live.port + 1)
    return sum(scrape(port)["tacit_records_total"] for port in ports if health(port)) >= records


def _lags(samples: dict[str, float]) -> list[float]:
    return [value for name, value in samples.items() if name.startswith("tacit_source_lag_records")]


def _threads(run: Running) -> int:
    return len(list(Path(f"/proc/{run.process.pid}/task").iterdir()))


def _workers(run: Running) -> list[int]:
    """Return the pids of the workers of a run."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
