"""Partition buffer: records leave in order, none is lost, and none is newer than the limit."""

import sys
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.partition_buffer import SLICE_MS, PartitionBuffer
from connectors.kafka.positions import Mark, Position, TopicIdentity
from state.events.records import KafkaOrigin, Record

ORIGIN = KafkaOrigin("events", 0)


class Fetched(NamedTuple):
    """Members of kafka-python's ConsumerRecord that a buffer reads."""

    offset: int
    value: bytes | None
    timestamp: int


@st.composite
def polls(draw: st.DrawFn) -> list[tuple[list[Fetched], int]]:
    """Draw the results of consecutive polls: gaps in offsets, unordered times, positions past the last record."""
    offset, found = 0, []
    for size in draw(st.lists(st.integers(0, 1200), max_size=4)):
        records = []
        for _ in range(size):
            records.append(Fetched(offset, b"x", draw(st.integers(0, 3)) * SLICE_MS if size < 20 else offset * 1000))
            offset += draw(st.integers(1, 2)) if size < 20 else 1
        offset += draw(st.integers(0, 2))
        found.append((records, offset))
    return found


def drain(buffer: PartitionBuffer, newest_slice: int = sys.maxsize) -> list[int]:
    offsets: list[int] = []
    while batch := buffer.take(newest_slice):
        assert len(batch) < 1000
        offsets += [record.position for record in batch]
        assert buffer.offset > offsets[-1]
    return offsets


@given(polls(), st.booleans())
def test_every_record_is_taken_once_in_order(polled: list[tuple[list[Fetched], int]], sliced: bool) -> None:
    """No record is lost, repeated or moved, and the last position is the position of the last poll."""
    buffer = PartitionBuffer(ORIGIN, Position(0), sliced=sliced)
    for records, position in polled:
        buffer.append(records, position)

    assert drain(buffer) == [record.offset for records, _ in polled for record in records]
    assert buffer.snapshot()[:2] == (polled[-1][1] if polled else 0, None)
    assert buffer.has_room
    assert not buffer.ended


@given(polls(), st.integers(0, 50))
def test_no_record_from_the_stop_is_taken(polled: list[tuple[list[Fetched], int]], stop: int) -> None:
    """A read ends at the stop, and a buffer has ended exactly when its position is the stop."""
    buffer = PartitionBuffer(ORIGIN, Position(0, stop), sliced=True)
    for records, position in polled:
        buffer.append(records, position)

    assert drain(buffer) == [each.offset for records, _ in polled for each in records if each.offset < stop]
    assert buffer.ended == (stop == 0 or (bool(polled) and polled[-1][1] >= stop))
    assert buffer.ended == buffer.complete


def test_later_slice_stays_in_the_buffer() -> None:
    """A take returns no record newer than the slice of the slowest partition."""
    buffer = PartitionBuffer(ORIGIN, Position(0), sliced=True)
    buffer.append([Fetched(n, b"x", n * SLICE_MS) for n in range(3)], 3)

    assert drain(buffer, newest_slice=1) == [0, 1]
    assert buffer.snapshot()[:2] == (2, None)
    assert buffer.head == 2


def test_buffer_is_full_by_bytes_and_has_room_after_half_is_taken() -> None:
    """The limit counts bytes, and a take frees them."""
    buffer = PartitionBuffer(ORIGIN, Position(0), sliced=False)
    for n in range(0, 5000, 500):
        buffer.append([Fetched(n + each, b"x" * 1000, 0) for each in range(500)], n + 500)

    states = [(buffer.full, buffer.has_room)]
    while buffer.take(sys.maxsize):
        states.append((buffer.full, buffer.has_room))

    assert states[0] == (True, False)
    assert (False, False) in states
    assert states[-1] == (False, True)


@pytest.mark.parametrize(
    ("stamped", "known"),
    [(-1, 0), (0, 0), (1_795_297_433, 0), (1_795_297_433_438, 1_795_297_433_438), (1_795_297_433_438_000, 0)],
)
def test_time_of_a_record_is_in_milliseconds_or_unknown(stamped: int, known: int) -> None:
    """A record without a time, or with one in seconds or microseconds, decides over no event."""
    buffer = PartitionBuffer(ORIGIN, Position(0), sliced=False)
    buffer.append([Fetched(0, b"x", stamped)], 1)
    assert [record.timestamp_ms for record in buffer.take(sys.maxsize)] == [known]


def marked(offset: int) -> Mark:
    return Mark.of(Record(ORIGIN, offset, b"x"))


def test_resumed_buffer_takes_nothing_before_its_position() -> None:
    """The fetch begins at the mark, which is compared and not taken again."""
    fetched = [Fetched(n, b"x", 0) for n in range(6)]
    buffer = PartitionBuffer(ORIGIN, Position(4, marks=(marked(2),)), sliced=False)

    assert buffer.fetch_from == 2
    assert buffer.verify(fetched[2:3] + fetched[4:])
    buffer.append(fetched[2:3] + fetched[4:], 6)
    assert drain(buffer) == [4, 5]
    assert buffer.snapshot().marks == (marked(2), marked(5))


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ([Fetched(2, b"y", 0)], False),
        ([Fetched(2, b"x", 1_795_297_433_438)], False),
        ([Fetched(2, b"x", 0), Fetched(3, b"x", 0)], False),  # a record in the place of a transaction's marker
        ([Fetched(3, b"x", 0)], False),
        ([Fetched(4, b"x", 0)], True),  # compaction removed the record
        ([Fetched(2, b"x", 0), Fetched(4, b"x", 0)], True),
    ],
)
def test_replaced_records_are_found(found: list[Fetched], same: bool) -> None:
    """Another record at an offset that was read is a replaced one; a missing record is a compacted one."""
    buffer = PartitionBuffer(ORIGIN, Position(4, marks=(marked(2),)), sliced=False)
    assert buffer.verify(found) == same


def test_last_known_record_is_compared_again() -> None:
    """At first that of the run before; behind a gap that changed the history, none of the earlier history."""
    buffer = PartitionBuffer(ORIGIN, Position(4, marks=(marked(2),)), sliced=False)
    assert buffer.verify([Fetched(2, b"x", 0)])
    buffer.verify_again()
    assert buffer.unverified == marked(2)

    buffer.append([Fetched(4, b"x", 0)], 5)
    buffer.verify_again()
    assert buffer.unverified == marked(4)

    buffer.jump(Position(3, marks=(marked(2),)))
    buffer.verify_again()
    assert buffer.unverified == marked(2)

    buffer.jump(Position(9))
    buffer.verify_again()
    assert buffer.unverified is None


def test_finished_read_ends_after_the_comparison_of_its_mark() -> None:
    """A finished read fetches the record of its mark, and nothing else."""
    buffer = PartitionBuffer(ORIGIN, Position(4, 4, marks=(marked(2),)), sliced=True)
    assert (buffer.complete, buffer.ended) == (False, False)
    assert not buffer.verify([Fetched(2, b"y", 0)])
    assert (buffer.complete, buffer.ended) == (False, False)
    assert buffer.verify([Fetched(2, b"x", 0)])
    assert (buffer.complete, buffer.ended) == (True, True)


def test_gap_begins_behind_the_buffered_records() -> None:
    """The position has the identity of the earlier topic until its last record is taken."""
    old, new = TopicIdentity("c", "old"), TopicIdentity("c", "new")
    buffer = PartitionBuffer(ORIGIN, Position(0, identity=old), sliced=False)
    buffer.append([Fetched(n, b"x", 0) for n in range(600)], 600)
    buffer.append([Fetched(n, b"x", 0) for n in range(600, 700)], 700)
    buffer.jump(Position(5, identity=new))
    buffer.append([Fetched(5, b"n", 0)], 6)

    assert len(buffer.take(sys.maxsize)) == 500
    assert buffer.snapshot().identity == old
    assert drain_all(buffer) == [*range(500, 700), 5]
    assert buffer.snapshot()[:3] == (6, None, new)


def drain_all(buffer: PartitionBuffer) -> list[int]:
    return [record.position for batch in iter(lambda: buffer.take(sys.maxsize), []) for record in batch]
