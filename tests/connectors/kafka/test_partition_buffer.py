"""A lane: what the pump puts in comes out whole, in order, and no further than asked."""

import sys
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.partition_buffer import SLICE_MS, PartitionBuffer
from state.events.records import KafkaOrigin

ORIGIN = KafkaOrigin("events", 0)


class Fetched(NamedTuple):
    """The part of kafka-python's ConsumerRecord that a lane reads."""

    offset: int
    value: bytes | None
    timestamp: int


@st.composite
def polls(draw: st.DrawFn) -> list[tuple[list[Fetched], int]]:
    """Draw what a row of polls might bring: gaps between offsets, times in disorder, positions past the last record."""
    offset, found = 0, []
    for size in draw(st.lists(st.integers(0, 1200), max_size=4)):
        records = []
        for _ in range(size):
            records.append(Fetched(offset, b"x", draw(st.integers(0, 3)) * SLICE_MS if size < 20 else offset * 1000))
            offset += draw(st.integers(1, 2)) if size < 20 else 1
        offset += draw(st.integers(0, 2))
        found.append((records, offset))
    return found


def drain(lane: PartitionBuffer, newest_slice: int = sys.maxsize) -> list[int]:
    offsets: list[int] = []
    while batch := lane.take(newest_slice):
        assert len(batch) < 1000
        offsets += [record.position for record in batch]
        assert lane.offset > offsets[-1]
    return offsets


@given(polls(), st.booleans())
def test_all_offered_is_taken_once_in_order(brought: list[tuple[list[Fetched], int]], sliced: bool) -> None:
    """Nothing is lost, repeated or reordered, and the position ends where the last poll's did."""
    lane = PartitionBuffer(ORIGIN, (0, None), sliced=sliced)
    for records, position in brought:
        lane.offer(records, position)

    assert drain(lane) == [record.offset for records, _ in brought for record in records]
    assert lane.position == (brought[-1][1] if brought else 0, None)
    assert lane.has_room
    assert not lane.ended


@given(polls(), st.integers(0, 50))
def test_nothing_from_the_stop_on_is_taken(brought: list[tuple[list[Fetched], int]], stop: int) -> None:
    """The stop cuts, and a lane has ended exactly when its position reached it."""
    lane = PartitionBuffer(ORIGIN, (0, stop), sliced=True)
    for records, position in brought:
        lane.offer(records, position)

    assert drain(lane) == [each.offset for records, _ in brought for each in records if each.offset < stop]
    assert lane.ended == (stop == 0 or (bool(brought) and brought[-1][1] >= stop))
    assert lane.ended == lane.complete


def test_later_slice_waits_until_it_is_asked_for() -> None:
    """A lane hands on no further than the slice that the slowest partition has reached."""
    lane = PartitionBuffer(ORIGIN, (0, None), sliced=True)
    lane.offer([Fetched(n, b"x", n * SLICE_MS) for n in range(3)], 3)

    assert drain(lane, newest_slice=1) == [0, 1]
    assert lane.position == (2, None)
    assert lane.head == 2


def test_lane_is_full_by_bytes_and_has_room_again_when_half_is_taken() -> None:
    """Bytes count, not records, and what is taken is freed."""
    lane = PartitionBuffer(ORIGIN, (0, None), sliced=False)
    for n in range(0, 5000, 500):
        lane.offer([Fetched(n + each, b"x" * 1000, 0) for each in range(500)], n + 500)

    states = [(lane.full, lane.has_room)]
    while lane.take(sys.maxsize):
        states.append((lane.full, lane.has_room))

    assert states[0] == (True, False)
    assert (False, False) in states
    assert states[-1] == (False, True)
