"""Kafka source: records, start and end of a read."""

from time import monotonic

import pytest

from connectors.kafka import client_options as kafka_settings
from connectors.kafka import fetcher as kafka_fetcher
from connectors.kafka import offsets as kafka_offsets
from connectors.kafka import partition_buffer as kafka_buffer
from connectors.kafka import watcher as kafka_watcher
from connectors.kafka.partition_buffer import SLICE_MS
from state.errors import SourceError
from state.events.records import KafkaOrigin, Record
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_reader import Reading, refused, values
from tests.support.kafka_topics import Kafka

pytestmark = KAFKA_TEST

DAY_MS = 24 * 60 * 60 * 1000


def numbered(count: int, prefix: str = "v") -> list[bytes]:
    return [f"{prefix}{n}".encode() for n in range(count)]


def test_bounded_read_returns_every_record_of_every_partition_in_order(kafka: Kafka) -> None:
    """Each partition is complete and in order, each record with its origin and offset."""
    topic = kafka.create_topic(3)
    for partition in range(3):
        kafka.produce(topic, numbered(700, f"p{partition}-"), partition=partition)

    reading = Reading(kafka, topic)
    records = reading.bounded()

    for partition in range(3):
        assert values(records, partition) == numbered(700, f"p{partition}-")
    assert [r.position for r in records if r.origin == KafkaOrigin(topic, 1)] == list(range(700))
    assert reading.counters.records == 2100
    assert reading.counters.bytes == sum(map(len, values(records)))


def test_bounded_read_stops_where_the_end_was_when_it_began(kafka: Kafka) -> None:
    """Records that are produced during a bounded read belong to the next one."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(10))

    def grow(records: list[Record]) -> None:
        kafka.produce(topic, numbered(5, "later"))

    assert values(Reading(kafka, topic).bounded(after_batch=grow)) == numbered(10)


@pytest.mark.parametrize(
    ("start", "first"),
    [("earliest", 0), ("latest", 10), ("offset:7", 7), ("5000", 5), ("4001", 5), ("9999999", 10)],
)
def test_first_run_begins_where_asked(kafka: Kafka, start: str, first: int) -> None:
    """A timestamp selects the first record that is not older, or the end without one."""
    topic = kafka.create_topic(config={"message.timestamp.before.max.ms": str(2**62), "retention.ms": "-1"})
    kafka.produce(topic, numbered(10), at_ms=[1000 * n for n in range(10)])

    assert values(Reading(kafka, topic).bounded(start)) == numbered(10)[first:]


def test_start_outside_the_partition_fails(kafka: Kafka) -> None:
    """The error states the offsets that Kafka holds."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(3))

    with refused(SourceError, "Kafka holds 0 to 3"):
        Reading(kafka, topic).live("offset:8", until=lambda _: True)


def test_unknown_topic_fails(kafka: Kafka) -> None:
    """The source never creates a topic."""
    with refused(SourceError, "there is no such topic"):
        Reading(kafka, "no-such-topic").bounded()


@pytest.mark.usefixtures("refused_connections")
def test_absent_broker_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised within the time limit and names the address."""
    monkeypatch.setattr(kafka_settings, "CONNECT_MS", 1000)
    monkeypatch.setattr(kafka_offsets, "CONNECT_MS", 1000)
    with refused(SourceError, "kafka://127.0.0.1:1/events: no answer within 1 s"):
        Reading(Kafka("127.0.0.1:1"), "events").bounded()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_compressed_records_are_read(kafka: Kafka, codec: str) -> None:
    """Records of each codec are decompressed."""
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(300), compression_type=codec)

    assert values(Reading(kafka, topic).bounded()) == numbered(300)


def test_only_committed_transactions_are_read_and_markers_do_not_hold_up_the_end(kafka: Kafka) -> None:
    """Offsets of markers and aborted records are skipped, even at the end of a partition."""
    topic = kafka.create_topic(2)
    kafka.produce_transaction(topic, numbered(3, "kept"), commit=True)
    kafka.produce_transaction(topic, numbered(3, "dropped"), commit=False)
    kafka.produce_transaction(topic, numbered(3, "dropped"), partition=1, commit=False)

    assert values(Reading(kafka, topic).bounded()) == numbered(3, "kept")


def test_large_record_and_tombstone_are_passed_on(kafka: Kafka) -> None:
    """A record of 20 KiB is complete, and a record without a value is empty."""
    topic = kafka.create_topic()
    kafka.produce(topic, [b"x" * 20_480, None, b"last"])

    assert values(Reading(kafka, topic).bounded()) == [b"x" * 20_480, b"", b"last"]


def test_partitions_that_fill_up_are_read_to_the_end(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated pauses of full partitions neither lose records nor stall."""
    monkeypatch.setattr(kafka_buffer, "_FULL_BYTES", 50_000)
    monkeypatch.setattr(kafka_buffer, "_ROOM_BYTES", 20_000)
    monkeypatch.setitem(kafka_fetcher._FETCH_OPTIONS, "max_partition_fetch_bytes", 16 * 1024)
    topic = kafka.create_topic(6)
    for partition in range(6):
        kafka.produce(topic, numbered(2000), partition=partition, batch_size=4096)

    records = Reading(kafka, topic).bounded()

    assert all(values(records, partition) == numbered(2000) for partition in range(6))


def test_bounded_read_keeps_partitions_side_by_side_in_time(kafka: Kafka) -> None:
    """Partitions of different density stay within one time slice."""
    topic = kafka.create_topic(2, {"message.timestamp.before.max.ms": str(2**62), "retention.ms": "-1"})
    dense = [n * 60_000 for n in range(DAY_MS // 60_000)]
    sparse = [n * 40 * 60_000 for n in range(36)]
    for partition, times in enumerate((dense, sparse)):
        kafka.produce(topic, [str(at).encode() for at in times], partition=partition, at_ms=times)

    records = Reading(kafka, topic).bounded()

    assert len(records) == len(dense) + len(sparse)
    slices = [int(record.value) // SLICE_MS for record in records]
    assert slices == sorted(slices)


def test_idle_source_at_the_end_counts_as_progress(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the broker answers and all is read, lag is zero and progress continues."""
    monkeypatch.setattr(kafka_watcher, "LOOK_EVERY_S", 0.1)
    topic = kafka.create_topic()
    kafka.produce(topic, numbered(4))
    reading = Reading(kafka, topic)
    source = reading.source(bounded=False)
    partition = source.build_part("read", source.list_parts()[0], None)
    began, read = monotonic(), 0

    while read < 4 or reading.counters.lag != {f"{topic}/0": 0} or reading.counters.progressed_at < began + 0.3:
        read += len(partition.next_batch())
        assert monotonic() < began + 10, "no progress was counted"

    partition.close()


def test_workers_of_one_process_share_the_fetcher(kafka: Kafka) -> None:
    """Two worker threads read all partitions once; the end of one does not stop the other."""
    topic = kafka.create_topic(4)
    for partition in range(4):
        kafka.produce(topic, numbered(2000 if partition % 2 else 5), partition=partition)

    records = Reading(kafka, topic).bounded(workers=2)

    assert [len(values(records, partition)) for partition in range(4)] == [5, 2000, 5, 2000]
