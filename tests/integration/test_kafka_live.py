"""Live runs and operators' tools: lag, groups, open transactions, new partitions, a broker that restarts."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any

import pytest
import redis

from tests.support.commands import Limits, Running, everything_in, running, tacit
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_tools import group_lags
from tests.support.kafka_topics import Kafka
from tests.support.monitoring_client import health, scrape
from tests.support.ports import two_free_ports
from tests.support.replays import redis_of_its_own

pytestmark = KAFKA_TEST

QUICK: Limits = {"connectors.kafka.held_records.LOGGED_AFTER_S": 1.0}


@pytest.fixture
def server() -> Iterator[tuple[str, redis.Redis]]:
    """Yield the URL of a Redis, and a client."""
    with redis_of_its_own() as found:
        yield found


def consents(first: int, last: int) -> list[bytes]:
    """Return an event per user."""
    at = time_ns() // 1_000_000 - 60_000
    return [
        json.dumps(make_event(type="consent", user_id=f"u{n}", event_id=f"c{n}", at=at, granted=True)).encode()
        for n in range(first, last)
    ]


class Worker:
    """Words of a live run with a state folder, and its figures."""

    def __init__(self, kafka: Kafka, topic: str, url: str, folder: Path, *more: str) -> None:
        self.port = two_free_ports()
        self.source = f"kafka://{kafka.servers}/{topic}"
        metrics = f"127.0.0.1:{self.port}"
        target = ["--redis", url, "--state", str(folder / "state"), "--metrics", metrics, "--checkpoint-every", "1"]
        self.words = ["run", self.source, *target, *more]

    def figure(self, name: str) -> float:
        """Return a figure of the first process, -1 before it has any."""
        return scrape(self.port).get(name, -1) if health(self.port) else -1

    def has_looked(self) -> bool:
        """Return whether the process with the first partition has a lag."""
        ports = [port for port in (self.port, self.port + 1) if health(port)]
        return any(name.startswith("tacit_source_lag_records") for port in ports for name in scrape(port))


def logged(run: Running, *levels: str) -> list[dict[str, Any]]:
    """Return the lines of the log with one of the levels."""
    lines = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] in levels]


def gates(client: redis.Redis) -> int:
    """Return the number of users with consent in Redis."""
    return sum(key.endswith(":gate") for key in everything_in(client))


@pytest.mark.parametrize("processes", ["1", "2"])
def test_new_partitions_are_read_without_an_error(
    processes: str, kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """From their beginning, also in a run from the latest offset, and in a process that had no partition."""
    url, client = server
    topic = kafka.create_topic(1)
    worker = Worker(kafka, topic, url, tmp_path, "--processes", processes, "--start", "latest")
    with running(worker.words, tmp_path / "log") as run:
        run.wait_for(worker.has_looked, "the first look at the topic")
        kafka.produce(topic, consents(0, 10))
        run.wait_for(lambda: gates(client) == 10, "10 users")
        kafka.add_partitions(topic, 4)
        for partition in range(4):
            kafka.produce(topic, consents(100 + 10 * partition, 110 + 10 * partition), partition=partition)
        run.wait_for(lambda: gates(client) == 50, "50 users")
        assert run.stop() == 0
    assert [line["event"] for line in logged(run, "info")].count("source.partitions_added") == 1
    assert logged(run, "warning", "error", "critical") == []


def test_run_with_a_gap_ends_at_once(kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """A restart does not help; `continue` reads the whole topic, and the metric counts the gap."""
    url, client = server
    topic = kafka.create_topic()
    kafka.produce(topic, consents(0, 10))
    worker = Worker(kafka, topic, url, tmp_path)
    with running(worker.words, tmp_path / "log") as run:
        run.wait_for(lambda: gates(client) == 10, "10 users")
        assert run.stop() == 0
    kafka.produce(topic, consents(10, 20))
    kafka.delete_before(topic, 0, 15)

    done = tacit(*worker.words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"tacit: {worker.source}, partition 0: the next offset to read is 10"
    )
    assert "run.failed" not in done.stderr

    with running([*worker.words, "--on-gap", "continue"], tmp_path / "log") as run:
        run.wait_for(lambda: gates(client) == 15, "15 users")
        assert worker.figure('tacit_source_gap_records_total{reason="expired"}') == 5
        assert run.stop() == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_group_shows_the_lag_to_kafkas_own_tool(
    processes: str, kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """Offsets follow the checkpoints, and the last one, which a stop takes."""
    url, client = server
    topic, group = kafka.create_topic(2), f"g-{tmp_path.name}-{processes}"
    for partition in range(2):
        kafka.produce(topic, consents(10 * partition, 10 * partition + 10), partition=partition)
    worker = Worker(kafka, topic, url, tmp_path, "--group", group, "--processes", processes)
    with running(worker.words, tmp_path / "log") as run:
        run.wait_for(lambda: group_lags(kafka, group) == {0: (10, 0), 1: (10, 0)}, "the offsets of a checkpoint")
        kafka.produce(topic, consents(20, 25), partition=1)
        run.wait_for(lambda: gates(client) == 25, "25 users")
        assert run.stop() == 0
    assert group_lags(kafka, group) == {0: (10, 0), 1: (15, 0)}
    kafka.produce(topic, consents(25, 28), partition=1)
    assert group_lags(kafka, group) == {0: (10, 0), 1: (15, 3)}
    assert logged(run, "warning", "error", "critical") == []


def test_group_of_other_consumers_stops_no_run(kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """A group with members takes no offsets of others: one line in the log, and another when they are taken."""
    url, client = server
    topic = kafka.create_topic()
    kafka.produce(topic, consents(0, 10))
    worker = Worker(kafka, topic, url, tmp_path, "--group", topic)
    with kafka.member(topic, topic), running(worker.words, tmp_path / "log") as run:
        run.wait_for(lambda: "group.failed" in run.output, "the line of the failure")
        kafka.produce(topic, consents(10, 20))
        run.wait_for(lambda: gates(client) == 20, "20 users")
        assert run.stop() == 0
    assert [line["event"] for line in logged(run, "warning", "error", "critical")] == ["group.failed"]
    with running(worker.words, tmp_path / "log") as run:
        run.wait_for(lambda: group_lags(kafka, topic) == {0: (20, 0)}, "the offsets after the members left")
        assert run.stop() == 0


def test_group_needs_checkpoints(kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """Without a state folder there is nothing to commit."""
    done = tacit("run", "kafka://a:1/x", "--redis", server[0], "--group", "g", "--metrics", "off", cwd=tmp_path)
    assert done.returncode == 2
    assert "group: needs --state" in done.stderr


def test_records_behind_an_open_transaction_are_visible(
    kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """In the metrics, in one line of the log, by `tacit check`, and in the summary of a replay; the run is healthy."""
    url, client = server
    topic = kafka.create_topic()
    kafka.produce(topic, consents(0, 5))
    worker = Worker(kafka, topic, url, tmp_path)
    held = f'{{partition="{topic}/0"}}'
    with running(worker.words, tmp_path / "log", QUICK) as run:
        run.wait_for(lambda: gates(client) == 5, "5 users")
        with kafka.open_transaction(topic, consents(5, 6)):
            kafka.produce(topic, consents(6, 16))
            run.wait_for(lambda: worker.figure(f"tacit_source_held_records{held}") == 11, "the records that wait")
            run.wait_for(lambda: worker.figure("tacit_source_transaction_age_seconds") > 1, "the age")
            run.wait_for(lambda: "source.records_held" in run.output, "the line of the log")
            assert worker.figure(f"tacit_source_lag_records{held}") == 11
            assert health(worker.port) == 200

            checked = tacit("check", worker.source, "--redis", url, cwd=tmp_path)
            assert "11 records of partition 0 wait behind a transaction that is open for" in " ".join(
                checked.stdout.split()
            )
            done = tacit("replay", worker.source, "--namespace", "shadow", "--redis", url, "--json", cwd=tmp_path)
            assert "source.records_held_back" in done.stderr
            summary = json.loads(done.stdout)
            assert (summary["read"], summary["held_back"]) == (5, 11)
        run.wait_for(lambda: gates(client) == 15, "all users but that of the aborted transaction")
        run.wait_for(lambda: worker.figure(f"tacit_source_held_records{held}") == 0, "the end of the wait")
        run.wait_for(lambda: "source.records_released" in run.output, "its line of the log")
        assert run.stop() == 0
    (warning,) = logged(run, "warning", "error", "critical")
    assert (warning["event"], warning["records"]) == ("source.records_held", 11)
    assert warning["transaction_s"] >= 1


def test_restart_of_a_broker_is_one_line_and_its_end_another(
    broker: Broker, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """No restart of the run, and no loss."""
    url, client = server
    topic = broker.create_topic(2)
    broker.produce(topic, consents(0, 10))
    worker = Worker(broker, topic, url, tmp_path, "--group", "restarted")
    with running(worker.words, tmp_path / "log") as run:
        run.wait_for(lambda: gates(client) == 10, "10 users")
        broker.stop()
        run.wait_for(lambda: "kafka.failed" in run.output, "the line of the outage")
        broker.start()
        broker.produce(topic, consents(10, 20))
        run.wait_for(lambda: gates(client) == 20, "20 users")
        run.wait_for(lambda: "kafka.recovered" in run.output, "the line of its end")
        assert run.stop() == 0
    assert [line["event"] for line in logged(run, "warning", "error", "critical")] == ["kafka.failed"]
    assert [line["event"] for line in logged(run, "info")].count("kafka.recovered") == 1
    assert [line["event"] for line in logged(run, "info")].count("worker.started") == 1
