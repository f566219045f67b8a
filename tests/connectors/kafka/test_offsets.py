"""Offsets: the position of a partition with and without a snapshot, and the check against Kafka's range."""

import pytest

from connectors.kafka.offsets import OffsetRange, Position, check, first_position, resumed_position
from state.errors import SourceError

HELD = OffsetRange(begin=10, end=30, start=20)


@pytest.mark.parametrize(("bounded", "stop"), [(True, 30), (False, None)])
def test_first_run_reads_from_its_start(bounded: bool, stop: int | None) -> None:
    """A bounded read stops at the end that the partition has now."""
    assert first_position(HELD, bounded=bounded, joined_later=False) == (20, stop)


def test_partition_that_joined_later_is_read_from_its_beginning() -> None:
    """The start of the first run is not for a partition that is newer than the snapshot."""
    assert first_position(HELD, bounded=False, joined_later=True) == (10, None)


@pytest.mark.parametrize(
    ("saved", "bounded", "position"),
    [((12, None), False, (12, None)), ((12, 15), False, (12, None)), ((12, 15), True, (12, 15))],
)
def test_resumed_read_continues_at_its_offset(saved: Position, bounded: bool, position: Position) -> None:
    """A live read has no stop, and a bounded read keeps the stop of its first start."""
    assert resumed_position(saved, HELD, bounded=bounded) == position


def test_bounded_read_after_a_live_one_stops_at_the_end() -> None:
    """The snapshot of a live read has no stop."""
    assert resumed_position((12, None), HELD, bounded=True) == (12, 30)


@pytest.mark.parametrize("position", [(10, None), (30, None), (10, 30), (5, 5)])
def test_offset_in_the_range_is_accepted(position: Position) -> None:
    """The end is in the range, and a read that has reached its stop needs no record."""
    check(position, HELD, "events, partition 0")


@pytest.mark.parametrize(
    ("position", "cause"), [((9, None), "the retention deleted older records"), ((31, None), "was never written")]
)
def test_offset_outside_the_range_is_an_error(position: Position, cause: str) -> None:
    """The error names the partition, the offset, the range and the cause."""
    with pytest.raises(SourceError, match=cause) as caught:
        check(position, HELD, "events, partition 0")
    stated = f"events, partition 0: the next offset to read is {position[0]}, but Kafka holds 10 to 30"
    assert str(caught.value).startswith(stated)
