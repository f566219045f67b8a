"""Positions that mean something else: each change of a topic stops a read, or is counted and passed over."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.kafka import watcher as kafka_watcher
from connectors.kafka.partition import GonePartition, KafkaPartition
from state.errors import GapError
from state.events.records import Record
from tests.support import kafka_reader
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_reader import Reading, refused, values
from tests.support.kafka_topics import Kafka

pytestmark = KAFKA_TEST


def numbered(first: int, last: int, prefix: str = "") -> list[bytes]:
    return [f"{prefix}{n}".encode() for n in range(first, last)]


def total(count: int) -> Callable[[list[Record]], bool]:
    return lambda records: len(records) >= count


def taken(partition: KafkaPartition | GonePartition, count: int) -> list[Record]:
    """Take records until there are `count`."""
    found: list[Record] = []

    def enough() -> bool:
        found.extend(partition.next_batch())
        return len(found) >= count

    eventually(enough, within_s=10, what=f"{count} records")
    return found


def read(kafka: Kafka, topic: str, state: Path, count: int) -> None:
    """Read `count` records of a live topic, and stop after a checkpoint."""
    assert len(Reading(kafka, topic, state=state).live(until=total(count))) == count


def test_topic_created_again_stops_the_next_run(kafka: Kafka, tmp_path: Path) -> None:
    """The error names each partition; the new topic is longer than the positions, so no offset is out of range."""
    topic = kafka.create_topic(2)
    for partition in range(2):
        kafka.produce(topic, numbered(0, 20), partition=partition)
    read(kafka, topic, tmp_path / "state", 40)
    kafka.produce(topic, numbered(20, 25), partition=1)
    kafka.create_again(topic, 2)
    for partition in range(2):
        kafka.produce(topic, numbered(0, 30, "new"), partition=partition)

    with refused(GapError, "partition 0: the topic was deleted and created again"):
        Reading(kafka, topic, state=tmp_path / "state").live(until=total(1))
    with refused(GapError, "; partition 1: the topic was deleted"):
        Reading(kafka, topic, state=tmp_path / "state").bounded()

    reading = Reading(kafka, topic, state=tmp_path / "state", on_gap="continue")
    with capture_logs() as logs:
        records = reading.live(until=total(60))
    assert [values(records, partition) for partition in range(2)] == [numbered(0, 30, "new")] * 2
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["source.gap_passed"] * 2
    assert set(reading.counters.gaps) == {"recreated"}

    kafka.produce(topic, numbered(30, 40, "new"))
    again = Reading(kafka, topic, state=tmp_path / "state").live(until=total(10))
    assert values(again) == numbered(30, 40, "new")


def test_topic_created_again_with_fewer_partitions_is_read_from_its_beginning(kafka: Kafka, tmp_path: Path) -> None:
    """A partition that is gone is a gap, too, which is passed over once."""
    topic = kafka.create_topic(2)
    for partition in range(2):
        kafka.produce(topic, numbered(0, 20), partition=partition)
    read(kafka, topic, tmp_path / "state", 40)
    kafka.create_again(topic, 1)
    kafka.produce(topic, numbered(0, 30, "new"))

    with refused(GapError, "partition 0: the topic was deleted and created again"):
        Reading(kafka, topic, state=tmp_path / "state").live(until=total(1))
    reading = Reading(kafka, topic, state=tmp_path / "state", on_gap="continue")
    assert values(reading.live(until=total(30))) == numbered(0, 30, "new")

    kafka.add_partitions(topic, 2)
    kafka.produce(topic, numbered(0, 5, "added"), partition=1)
    again = Reading(kafka, topic, state=tmp_path / "state").live(until=total(5))
    assert values(again) == numbered(0, 5, "added")


@pytest.mark.parametrize("size", [3, 20])
def test_finished_replay_of_a_topic_created_again_is_no_replay_of_it(kafka: Kafka, tmp_path: Path, size: int) -> None:
    """A shorter and an equally long topic; with `continue`, all of the new topic is read."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 20))
    assert len(Reading(kafka, topic, state=tmp_path / "state").bounded()) == 20
    kafka.create_again(topic)
    kafka.produce(topic, numbered(0, size, "new"))

    with refused(GapError, "was deleted and created again"):
        Reading(kafka, topic, state=tmp_path / "state").bounded()

    reading = Reading(kafka, topic, state=tmp_path / "state", on_gap="continue")
    assert values(reading.bounded()) == numbered(0, size, "new")
    assert values(Reading(kafka, topic, state=tmp_path / "state").bounded()) == []


@pytest.mark.parametrize("size", [5, 50])
def test_topic_created_again_stops_a_running_read(kafka: Kafka, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that is shorter than the position, and a longer one."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 0.1)
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 20))

    def change(records: list[Record]) -> bool:
        if len(records) == 20:
            kafka.create_again(topic)
            kafka.produce(topic, numbered(0, size, "new"))
        return False

    with refused(GapError, "was deleted and created again"):
        Reading(kafka, topic).live(until=change)


def test_topic_created_again_with_fewer_partitions_stops_a_running_read(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that of the gap, of the partition that is gone, too; a restart would not help."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 0.1)
    topic = kafka.create_topic(3)
    for partition in range(2):
        kafka.produce(topic, numbered(0, 10), partition=partition)

    def change(records: list[Record]) -> bool:
        if len(records) == 20:
            kafka.create_again(topic, 1)
        return False

    with refused(GapError, "partition 1: the topic was deleted and created again"):
        Reading(kafka, topic).live(until=change)


@pytest.mark.parametrize("size", [5, 50])
def test_running_read_continues_with_all_of_a_topic_created_again(
    kafka: Kafka, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state that is saved afterwards belongs to the new topic."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 0.1)
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 20))

    def change(records: list[Record]) -> bool:
        if len(records) == 20:
            kafka.create_again(topic)
            kafka.produce(topic, numbered(0, size, "new"))
        return set(numbered(0, size, "new")) <= set(values(records))

    reading = Reading(kafka, topic, state=tmp_path / "state", on_gap="continue")
    records = reading.live(until=change)
    assert values(records)[:20] == numbered(0, 20)
    assert values(records)[-size:] == numbered(0, size, "new")
    assert set(reading.counters.gaps) == {"recreated"}

    kafka.produce(topic, [b"last"])
    assert values(Reading(kafka, topic, state=tmp_path / "state").live(until=total(1))) == [b"last"]


def test_read_continues_behind_deleted_records(kafka: Kafka, tmp_path: Path) -> None:
    """The count is exact."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 10))
    read(kafka, topic, tmp_path / "state", 10)
    kafka.produce(topic, numbered(10, 30))
    kafka.delete_before(topic, 0, 20)

    reading = Reading(kafka, topic, state=tmp_path / "state", on_gap="continue")
    assert values(reading.live(until=total(10))) == numbered(20, 30)
    assert reading.counters.gaps == {"expired": 10}


@pytest.mark.parametrize("bounded", [False, True])
def test_running_read_continues_behind_deleted_records(kafka: Kafka, bounded: bool) -> None:
    """A bounded read ends at its stop."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 30))
    reading = Reading(kafka, topic, on_gap="continue")
    source = reading.source(bounded=bounded)
    partition = source.build_part("read", source.list_parts()[0], (5, 30))
    kafka.delete_before(topic, 0, 20)

    assert values(taken(partition, 10)) == numbered(20, 30)
    assert reading.counters.gaps == {"expired": 15}
    partition.close()


def test_expired_mark_of_a_position_is_no_gap(kafka: Kafka, tmp_path: Path) -> None:
    """All records that were read are deleted, and none that was not: the read continues."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 5))
    read(kafka, topic, tmp_path / "state", 5)
    kafka.delete_before(topic, 0, 5)
    kafka.produce(topic, numbered(5, 7))
    assert values(Reading(kafka, topic, state=tmp_path / "state").live(until=total(2))) == numbered(5, 7)


def test_snapshot_of_an_earlier_version_is_adopted(kafka: Kafka) -> None:
    """One line in the log states the identity that the position has from now on."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(0, 10))
    source = Reading(kafka, topic).source(bounded=False)
    parts = source.list_parts()
    with capture_logs() as logs:
        partition = source.build_part("read", parts[0], (5, None))
    assert [log["event"] for log in logs] == ["source.identity_adopted"]

    assert len(taken(partition, 5)) == 5
    assert partition.snapshot()[2:4] == source.build_part("read", parts[0], None).snapshot()[2:4]
    partition.close()


@pytest.mark.parametrize(("written", "reason"), [(0, "truncated"), (30, "replaced")])
def test_broker_restored_from_a_backup_while_the_reader_is_down(
    broker: Broker, tmp_path: Path, written: int, reason: str
) -> None:
    """The partition ends before the position, or has grown past it with other records."""
    topic = broker.create_topic()
    broker.produce(topic, numbered(0, 20))
    with broker.restored():
        broker.produce(topic, numbered(20, 30, "lost"))
        read(broker, topic, tmp_path / "state", 30)
    broker.produce(topic, numbered(20, 20 + written, "new"))

    with refused(GapError, "restored backup"):
        Reading(broker, topic, state=tmp_path / "state").live(until=total(1))

    broker.produce(topic, [b"last"])
    reading = Reading(broker, topic, state=tmp_path / "state", on_gap="continue")
    records = reading.live(until=lambda records: values(records)[-1:] == [b"last"])
    assert set(reading.counters.gaps) == {reason}
    assert values(records)[-1 - written :] == [*numbered(20, 20 + written, "new"), b"last"]


def test_finished_replay_of_a_restored_topic_is_not_repeated_silently(broker: Broker, tmp_path: Path) -> None:
    """The stop of the replay exists, and the records before it are others."""
    topic = broker.create_topic()
    broker.produce(topic, numbered(0, 20))
    with broker.restored():
        broker.produce(topic, numbered(20, 30, "lost"))
        assert len(Reading(broker, topic, state=tmp_path / "state").bounded()) == 30
    broker.produce(topic, numbered(20, 40, "new"))

    with refused(GapError, "other records are at offsets that were read"):
        Reading(broker, topic, state=tmp_path / "state").bounded()


@pytest.mark.parametrize(
    ("written", "found"), [(0, "records that were read are no longer there"), (30, "restored backup")]
)
def test_broker_restored_from_a_backup_during_a_read(
    broker: Broker, written: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader stops, also if the partition has grown past its position, and no look at the topic saw an outage."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 600.0)
    monkeypatch.setattr(kafka_reader, "GIVE_UP_S", 120.0)  # four starts and stops of a broker
    topic = broker.create_topic()
    broker.produce(topic, numbered(0, 20))
    backup, steps = ExitStack(), iter((20, 30))
    step = next(steps)

    def restore(records: list[Record]) -> bool:
        """Back up, and restore; a producer may repeat a record while the broker starts."""
        nonlocal step
        if len(records) < step:
            return False
        if step == 20:
            backup.enter_context(broker.restored())
            broker.produce(topic, numbered(20, 30, "lost"))
        else:
            backup.close()
            broker.produce(topic, numbered(20, 20 + written, "new"))
        step = next(steps, 1_000)
        return False

    with backup, refused(GapError, found):
        Reading(broker, topic).live(until=restore)


def test_other_cluster_at_the_address_stops_the_next_run(broker: Broker, tmp_path: Path) -> None:
    """A topic of the same name there is another topic."""
    topic = broker.create_topic()
    broker.produce(topic, numbered(0, 20))
    read(broker, topic, tmp_path / "state", 20)
    with broker.other_cluster():
        broker.create_topic(name=topic)
        broker.produce(topic, numbered(0, 30, "other"))

        with refused(GapError, "the address leads to another cluster"):
            Reading(broker, topic, state=tmp_path / "state").live(until=total(1))

        reading = Reading(broker, topic, state=tmp_path / "state", on_gap="continue")
        assert values(reading.live(until=total(30))) == numbered(0, 30, "other")
        assert set(reading.counters.gaps) == {"other_cluster"}
