"""Offsets of a topic: the ranges that Kafka holds, and the first and last offset of a read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError, RetriableError  # type: ignore[import-untyped]

from connectors.kafka.address import Start, TopicAddress, common_options
from connectors.kafka.client_options import CONNECT_MS
from connectors.kafka.positions import Position, TopicIdentity
from connectors.kafka.start_offsets import offsets_at
from state.errors import SourceError, UnreachableError


class OffsetRange(NamedTuple):
    """One partition's offsets at the time of the look-up."""

    begin: int
    """Offset of the oldest record."""
    end: int
    """Offset behind the newest record of a finished transaction."""
    start: int
    """Start of a first run."""
    stop: int | None = None
    """Offset before which a first bounded run stops; None: the end."""


NO_RANGE = OffsetRange(0, 0, 0)
"""Range of a partition that the topic does not have."""


def reader_options(address: TopicAddress) -> dict[str, Any]:
    """Return the options of every consumer: no group, no commits, an error in place of a reset offset."""
    return common_options(address) | {
        "client_rack": address.client.rack,
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
    }


def look_up(address: TopicAddress, start: Start, to: Start | None = None) -> dict[int, OffsetRange]:
    """Return the range of each partition, by number; `to` is the end of a bounded read, None for the present end.

    Raises:
        SourceError: no broker answers in time, or the topic is missing or unreadable.
    """
    with reader(address) as consumer:
        consumer.bootstrap(timeout_ms=CONNECT_MS)
        partitions = consumer.partitions_for_topic(address.topic)
        if not partitions:
            raise SourceError(f"{address}: there is no such topic; create it, or correct the name")
        return _ranges(consumer, address, sorted(partitions), (start, to))


@contextmanager
def reader(address: TopicAddress) -> Iterator[Any]:
    """Yield a consumer of a topic; errors in the context are those of `source_errors`."""
    with source_errors(address), KafkaConsumer(**reader_options(address)) as consumer:
        yield consumer


@contextmanager
def source_errors(address: TopicAddress) -> Iterator[None]:
    """Translate errors of kafka-python in the context.

    Raises:
        UnreachableError: no broker answers in time.
        SourceError: the topic is unreadable.
    """
    try:
        yield
    except RetriableError as error:
        raise UnreachableError(
            f"{address}: no answer within {CONNECT_MS // 1000} s ({type(error).__name__}); "
            "check the address, and that a broker listens there"
        ) from error
    except KafkaError as error:
        raise SourceError(
            f"{address}: cannot be read ({type(error).__name__}: {error}); check the topic and the broker's log"
        ) from error


def _ranges(
    consumer: Any, address: TopicAddress, numbers: list[int], range_: tuple[Start, Start | None]
) -> dict[int, OffsetRange]:
    request_ms = address.client.request_ms
    partitions = [TopicPartition(address.topic, number) for number in numbers]
    begins = consumer.beginning_offsets(partitions, timeout_ms=request_ms)
    ends = consumer.end_offsets(partitions, timeout_ms=request_ms)
    start, to = range_
    starts = offsets_at(consumer, begins, ends, start, request_ms)
    stops = offsets_at(consumer, begins, ends, to, request_ms) if to else dict.fromkeys(partitions)
    return {each.partition: OffsetRange(begins[each], ends[each], starts[each], stops[each]) for each in partitions}


def first_position(held: OffsetRange, identity: TopicIdentity, *, bounded: bool, joined_later: bool) -> Position:
    """Return the position of a partition without a snapshot.

    A partition that `joined_later` than the snapshot of the run is read from its beginning, not from the start of the
    first run: "latest" would skip the records that the partition received before this restart.
    """
    start = held.begin if joined_later else held.start
    end = held.end if held.stop is None else min(held.stop, held.end)
    return Position(start, end if bounded else None, identity, held.end)


def resumed_position(saved: Position, held: OffsetRange, *, bounded: bool) -> Position:
    """Return the position to resume from; a bounded run keeps the stop of its first start."""
    if not bounded:
        return saved._replace(stop=None)
    return saved._replace(stop=held.end if saved.stop is None else saved.stop)


def check_start(position: Position, held: OffsetRange, partition: str) -> None:
    """Check that Kafka holds the start of a first run.

    Args:
        position: position of a partition without a snapshot.
        held: offsets that Kafka holds.
        partition: name of the partition, for the error.

    Raises:
        SourceError: Kafka does not hold the offset.
    """
    if not held.begin <= position.offset <= held.end:
        raise SourceError(
            f"{partition}: the start is offset {position.offset}, but Kafka holds {held.begin} to {held.end}; "
            "choose another start"
        )
