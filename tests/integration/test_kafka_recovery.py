"""Recovery of the Kafka source: restarts, kills, absent brokers, changed topics."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.kafka import watcher as kafka_watcher
from state.errors import GapError
from state.events.records import Record
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_reader import Reading, refused, values
from tests.support.kafka_topics import Kafka

pytestmark = KAFKA_TEST


def numbered(first: int, last: int) -> list[bytes]:
    return [str(n).encode() for n in range(first, last)]


def test_orderly_stop_repeats_and_loses_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """A stopped live run resumes exactly after its last record."""
    topic = kafka.create_topic(2)
    kafka.produce(topic, numbered(0, 100))
    first = Reading(kafka, topic, state=tmp_path / "state").live(until=lambda records: len(records) >= 100)
    kafka.produce(topic, numbered(100, 200))
    kafka.produce(topic, numbered(0, 50), partition=1)

    second = Reading(kafka, topic, state=tmp_path / "state").live(until=lambda records: len(records) >= 150)

    assert values(first) == numbered(0, 100)
    assert values(second, 0) == numbered(100, 200)
    assert values(second, 1) == numbered(0, 50)


def test_latest_is_the_end_at_the_first_start(kafka: Kafka, tmp_path: Path) -> None:
    """A run that began at "latest" reads the records that arrived while it was down."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 5))
    assert Reading(kafka, topic, state=tmp_path / "state").bounded("latest") == []
    kafka.produce(topic, numbered(5, 10))

    again = Reading(kafka, topic, state=tmp_path / "state").live("latest", until=lambda records: len(records) >= 5)

    assert values(again) == numbered(5, 10)


def test_interrupted_bounded_read_keeps_its_stop(kafka: Kafka, tmp_path: Path) -> None:
    """An interrupted bounded read ends at its original end, even if more records arrived."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 3000))
    interrupted = Reading(kafka, topic, state=tmp_path / "state")
    first = interrupted.bounded(after_batch=lambda _: interrupted.stop.set())
    kafka.produce(topic, numbered(3000, 3010))

    second = Reading(kafka, topic, state=tmp_path / "state").bounded()

    assert 0 < len(first) < 3000
    assert values(first) + values(second) == numbered(0, 3000)


def test_killed_reader_loses_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """After SIGKILL each record is read at least once; after SIGTERM exactly once."""
    topic = kafka.create_topic()
    Reading(kafka, topic, state=tmp_path / "state")
    output = tmp_path / "lines"
    command = (sys.executable, "-m", "tests.support.kafka_reader", kafka.servers, topic, tmp_path / "state", output)

    def lines() -> list[bytes]:
        return output.read_bytes().splitlines() if output.exists() else []

    kafka.produce(topic, numbered(0, 1000))
    with subprocess.Popen(command) as reader:
        eventually(lambda: len(lines()) >= 500, within_s=20, what="500 records")
        reader.kill()
    kafka.produce(topic, numbered(1000, 2000))
    with subprocess.Popen(command) as reader:
        eventually(lambda: set(lines()) == set(numbered(0, 2000)), within_s=20, what="all records")
        reader.terminate()
    assert reader.returncode == 0

    before = len(lines())
    kafka.produce(topic, numbered(2000, 2001))
    with subprocess.Popen(command) as reader:
        eventually(lambda: len(lines()) > before, within_s=20, what="the new record")
        reader.terminate()
    assert lines()[before:] == numbered(2000, 2001)


def test_reader_continues_after_a_killed_broker_returns(broker: Broker) -> None:
    """The reader waits for the broker and needs no restart."""
    topic = broker.create_topic()
    broker.produce(topic, numbered(0, 100))

    def crash_once(records: list[Record]) -> bool:
        if len(records) == 100:
            broker.kill()
            broker.start()
            broker.produce(topic, numbered(100, 200))
        return len(records) >= 200

    assert values(Reading(broker, topic).live(until=crash_once)) == numbered(0, 200)


def test_reader_continues_after_a_frozen_broker_returns(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader logs that the broker does not answer, waits, and then misses no record."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(kafka_watcher, "REQUEST_MS", 300)
    topic = broker.create_topic()
    broker.produce(topic, numbered(0, 100))

    def freeze_once(records: list[Record]) -> bool:
        if len(records) == 100:
            broker.pause()
            eventually(lambda: any(log["event"] == "kafka.failed" for log in logs), within_s=15, what="the log record")
            broker.resume()
            broker.produce(topic, numbered(100, 200))
        return len(records) >= 200

    with capture_logs() as logs:
        assert values(Reading(broker, topic).live(until=freeze_once)) == numbered(0, 200)


def test_new_partition_ends_the_run_in_order_and_is_read_by_the_next_one(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run repeats nothing, and reads the new partition from its beginning, even one that began at "latest"."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 0.1)
    topic = kafka.create_topic()
    state = tmp_path / "state"
    assert Reading(kafka, topic, state=state).bounded("latest") == []
    kafka.produce(topic, numbered(0, 10))

    def grow(records: list[Record]) -> bool:
        kafka.add_partitions(topic, 2)
        kafka.produce(topic, numbered(10, 20), partition=1)
        return False

    first = Reading(kafka, topic, state=state)
    assert values(first.live("latest", until=grow)) == numbered(0, 10)
    assert first.counters.grew

    again = Reading(kafka, topic, state=state).live("latest", until=lambda records: len(records) >= 10)
    assert values(again, 1) == numbered(10, 20)
    assert values(again, 0) == []


def test_resuming_at_a_deleted_offset_fails(kafka: Kafka, tmp_path: Path) -> None:
    """Records that Kafka deleted before they were read are an error."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 10))
    Reading(kafka, topic, state=tmp_path / "state").bounded()
    kafka.produce(topic, numbered(10, 30))
    kafka.delete_before(topic, 0, 20)

    with refused(GapError, "next offset to read is 10, but Kafka holds 20 to 30"):
        Reading(kafka, topic, state=tmp_path / "state").live(until=lambda _: True)


def test_deleted_records_end_a_running_reader(kafka: Kafka) -> None:
    """A live reader does not skip deleted records silently."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 30))
    source = Reading(kafka, topic).source(bounded=False)
    partition = source.build_part("read", source.list_parts()[0], (5, None))
    kafka.delete_before(topic, 0, 20)

    with pytest.raises(GapError, match="deleted 15 records before they were read"):
        eventually(partition.next_batch, within_s=10, what="an error")
    partition.close()
