"""Where reading begins and ends: a topic's offsets, looked up once before the dataflow runs."""

from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError, RetriableError  # type: ignore[import-untyped]

from connectors.kafka.address import CONNECT_MS, REQUEST_MS, Start, TopicAddress, common_options
from state.errors import SourceError

Position = tuple[int, int | None]
"""What a snapshot holds of a partition: the next offset to read, and the offset to stop at (None: never)."""


class Range(NamedTuple):
    """One partition's offsets when we looked."""

    begin: int
    """The oldest record still there."""
    end: int
    """Behind the newest record of a finished transaction."""
    start: int
    """Where a first run begins."""


def reader_options(address: TopicAddress) -> dict[str, Any]:
    """Return the options of every consumer here: no group, no commits, no silent reset of an offset."""
    return common_options(address.servers) | {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
    }


def look_up(address: TopicAddress, start: Start) -> dict[int, Range]:
    """Return the range of each partition, or raise `SourceError` when the topic cannot be read."""
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
        raise SourceError(f"{address}: cannot be read ({type(error).__name__}: {error})") from error


def _ranges(consumer: Any, address: TopicAddress, partitions: list[int], start: Start) -> dict[int, Range]:
    places = [TopicPartition(address.topic, partition) for partition in partitions]
    begins = consumer.beginning_offsets(places, timeout_ms=REQUEST_MS)
    ends = consumer.end_offsets(places, timeout_ms=REQUEST_MS)
    starts = _starts(consumer, begins, ends, start)
    return {place.partition: Range(begins[place], ends[place], starts[place]) for place in places}


def _starts(consumer: Any, begins: dict[Any, int], ends: dict[Any, int], start: Start) -> dict[Any, int]:
    if start.kind == "earliest":
        return begins
    if start.kind == "latest":
        return ends
    if start.kind == "offset":
        return dict.fromkeys(begins, start.number)
    # Kafka answers None where no record is that new: reading then begins with what comes next.
    found = consumer.offsets_for_times(dict.fromkeys(begins, start.number), timeout_ms=REQUEST_MS)
    return {place: found[place].offset if found[place] else ends[place] for place in begins}


def first_position(held: Range, *, bounded: bool, joined_later: bool) -> Position:
    """Return where to read a partition that has no snapshot.

    One that `joined_later`, after a run whose snapshot we resume, is read from its beginning wherever the first run
    started: "latest" would skip what it received before this restart.
    """
    return (held.begin if joined_later else held.start), (held.end if bounded else None)


def resumed_position(saved: Position, held: Range, *, bounded: bool) -> Position:
    """Return where to go on from a snapshot; a bounded run keeps the stop that it was first built with."""
    offset, stop = saved
    if not bounded:
        return offset, None
    return offset, held.end if stop is None else stop


def check(position: Position, held: Range, place: str) -> None:
    """Raise `SourceError` if Kafka does not hold the offset to read next; `place` names the partition."""
    offset, stop = position
    if stop is not None and stop <= offset <= held.end:
        return
    if held.begin <= offset <= held.end:
        return
    if offset < held.begin:
        what = "older records were deleted (retention), so what lies between cannot be read any more"
    else:
        what = "the offset was never written, or the topic was made anew"
    raise SourceError(
        f"{place}: to be read from offset {offset}, but Kafka holds {held.begin} to {held.end}: {what}. "
        "Choose another start, for a run that resumes with a new state folder"
    )
