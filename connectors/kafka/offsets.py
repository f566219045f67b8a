"""Offsets of a topic: the ranges that Kafka holds, and the first and last offset of a read."""

from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError, RetriableError  # type: ignore[import-untyped]

from connectors.kafka.address import CONNECT_MS, REQUEST_MS, Start, TopicAddress, common_options
from state.errors import SourceError

Position = tuple[int, int | None]
"""A partition's part of a snapshot: the next offset to read, and the offset to stop at (None: never)."""


class OffsetRange(NamedTuple):
    """One partition's offsets at the time of the look-up."""

    begin: int
    """Offset of the oldest record."""
    end: int
    """Offset behind the newest record of a finished transaction."""
    start: int
    """Start of a first run."""


def reader_options(address: TopicAddress) -> dict[str, Any]:
    """Return the options of every consumer: no group, no commits, an error in place of a reset offset."""
    return common_options(address.servers) | {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
    }


def look_up(address: TopicAddress, start: Start) -> dict[int, OffsetRange]:
    """Return the range of each partition, by number.

    Raises:
        SourceError: no broker answers in time, or the topic is missing or unreadable.
    """
    try:
        with KafkaConsumer(**reader_options(address)) as consumer:
            consumer.bootstrap(timeout_ms=CONNECT_MS)
            partitions = consumer.partitions_for_topic(address.topic)
            if not partitions:
                raise SourceError(f"{address}: there is no such topic; create it, or correct the name")
            return _ranges(consumer, address, sorted(partitions), start)
    except RetriableError as error:
        raise SourceError(
            f"{address}: no answer within {CONNECT_MS // 1000} s ({type(error).__name__}); "
            "check the address, and that a broker listens there"
        ) from error
    except KafkaError as error:
        raise SourceError(
            f"{address}: cannot be read ({type(error).__name__}: {error}); check the topic and the broker's log"
        ) from error


def _ranges(consumer: Any, address: TopicAddress, numbers: list[int], start: Start) -> dict[int, OffsetRange]:
    partitions = [TopicPartition(address.topic, number) for number in numbers]
    begins = consumer.beginning_offsets(partitions, timeout_ms=REQUEST_MS)
    ends = consumer.end_offsets(partitions, timeout_ms=REQUEST_MS)
    starts = _starts(consumer, begins, ends, start)
    return {each.partition: OffsetRange(begins[each], ends[each], starts[each]) for each in partitions}


def _starts(consumer: Any, begins: dict[Any, int], ends: dict[Any, int], start: Start) -> dict[Any, int]:
    if start.kind == "earliest":
        return begins
    if start.kind == "latest":
        return ends
    if start.kind == "offset":
        return dict.fromkeys(begins, start.number)
    # Kafka answers None for a partition without a record that new: the read starts with the next record.
    found = consumer.offsets_for_times(dict.fromkeys(begins, start.number), timeout_ms=REQUEST_MS)
    return {each: found[each].offset if found[each] else ends[each] for each in begins}


def first_position(held: OffsetRange, *, bounded: bool, joined_later: bool) -> Position:
    """Return the position of a partition without a snapshot.

    A partition that `joined_later` than the snapshot of the run is read from its beginning, not from the start of the
    first run: "latest" would skip the records that the partition received before this restart.
    """
    return (held.begin if joined_later else held.start), (held.end if bounded else None)


def resumed_position(saved: Position, held: OffsetRange, *, bounded: bool) -> Position:
    """Return the position to resume from; a bounded run keeps the stop of its first start."""
    offset, stop = saved
    if not bounded:
        return offset, None
    return offset, held.end if stop is None else stop


def check(position: Position, held: OffsetRange, partition: str) -> None:
    """Check that Kafka holds the next offset to read.

    Args:
        position: next offset and stop.
        held: offsets that Kafka holds.
        partition: name of the partition, for the error.

    Raises:
        SourceError: Kafka does not hold the offset.
    """
    offset, stop = position
    if stop is not None and stop <= offset <= held.end:
        return
    if held.begin <= offset <= held.end:
        return
    if offset < held.begin:
        cause = "the retention deleted older records, which are lost to this run"
    else:
        cause = "the offset was never written, or the topic was deleted and created again"
    raise SourceError(
        f"{partition}: the next offset to read is {offset}, but Kafka holds {held.begin} to {held.end}: {cause}. "
        "Choose another start; to replace a run that resumes, use a new state folder"
    )
