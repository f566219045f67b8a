"""Offsets: the position of a partition with and without a snapshot, and the check of a start."""

import pytest

from connectors.kafka.offsets import OffsetRange, check_start, first_position, resumed_position
from connectors.kafka.positions import Position, TopicIdentity
from state.errors import SourceError

HELD = OffsetRange(begin=10, end=30, start=20)
TOPIC = TopicIdentity("cluster", "topic")


@pytest.mark.parametrize(("bounded", "stop"), [(True, 30), (False, None)])
def test_first_run_reads_from_its_start(bounded: bool, stop: int | None) -> None:
    """A bounded read stops at the end that the partition has now."""
    position = first_position(HELD, TOPIC, bounded=bounded, joined_later=False)
    assert position == Position(20, stop, TOPIC, 30)


def test_partition_that_joined_later_is_read_from_its_beginning() -> None:
    """The start of the first run is not for a partition that is newer than the snapshot."""
    assert first_position(HELD, TOPIC, bounded=False, joined_later=True) == Position(10, None, TOPIC, 30)


@pytest.mark.parametrize(
    ("saved", "bounded", "position"),
    [((12, None), False, (12, None)), ((12, 15), False, (12, None)), ((12, 15), True, (12, 15))],
)
def test_resumed_read_continues_at_its_offset(
    saved: tuple[int, int | None], bounded: bool, position: tuple[int, int | None]
) -> None:
    """A live read has no stop, and a bounded read keeps the stop of its first start."""
    assert resumed_position(Position(*saved), HELD, bounded=bounded) == Position(*position)


def test_bounded_read_after_a_live_one_stops_at_the_end() -> None:
    """The snapshot of a live read has no stop."""
    assert resumed_position(Position(12), HELD, bounded=True) == Position(12, 30)


@pytest.mark.parametrize("offset", [10, 30])
def test_start_in_the_range_is_accepted(offset: int) -> None:
    """The end is in the range."""
    check_start(Position(offset), HELD, "events, partition 0")


@pytest.mark.parametrize("offset", [9, 31])
def test_start_outside_the_range_is_an_error(offset: int) -> None:
    """The error names the partition, the offset and the range."""
    with pytest.raises(
        SourceError, match=f"events, partition 0: the start is offset {offset}, but Kafka holds 10 to 30"
    ):
        check_start(Position(offset), HELD, "events, partition 0")
