"""Gaps: none is overlooked, and a read that continues neither skips nor passes the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.gaps import Gap, GapReason, find_gap, gap_error, replaced
from connectors.kafka.offsets import OffsetRange
from connectors.kafka.positions import Position, TopicIdentity

TOPIC = TopicIdentity("c", "t")
HELD = OffsetRange(begin=10, end=30, start=10)


def gap(position: Position, identity: TopicIdentity = TOPIC) -> Gap:
    found = find_gap(position, HELD, identity, 0)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("position", "identity"),
    [
        (Position(10, None, TOPIC), TOPIC),
        (Position(30, None, TOPIC), TOPIC),
        (Position(5, 5, TOPIC), TOPIC),  # a finished read needs no record
        (Position(12), TOPIC),  # an earlier version saved no identity
        (Position(12, None, TOPIC), TopicIdentity("c", "")),  # a broker without ids of topics
    ],
)
def test_position_in_the_same_topic_has_no_gap(position: Position, identity: TopicIdentity) -> None:
    """The end is in the range."""
    assert find_gap(position, HELD, identity, 0) is None


def test_topic_that_was_created_again_is_read_from_its_beginning() -> None:
    """The records of the earlier topic up to its last known end are missing."""
    found = gap(Position(20, None, TOPIC, end=27), TopicIdentity("c", "u"))
    assert found[:5] == (GapReason.RECREATED, 0, 7, 10, None)


def test_finished_replay_of_a_topic_that_was_created_again_has_a_gap() -> None:
    """Nothing is missing, but the new topic is not what was read: its end is the new stop."""
    assert gap(Position(20, 20, TOPIC, end=27), TopicIdentity("c", "u"))[:5] == (GapReason.RECREATED, 0, 0, 10, 30)


def test_other_cluster_is_named_first() -> None:
    """Topics of different clusters have different ids, too."""
    assert gap(Position(20, None, TOPIC, end=20), TopicIdentity("d", "u")).reason == GapReason.OTHER_CLUSTER


def test_deleted_records_are_counted_exactly() -> None:
    """A bounded read misses none behind its stop."""
    assert gap(Position(4, None, TOPIC))[:5] == (GapReason.EXPIRED, 0, 6, 10, None)
    assert gap(Position(4, 8, TOPIC))[:5] == (GapReason.EXPIRED, 0, 4, 8, 8)


def test_changed_history_is_read_again_from_the_last_common_record() -> None:
    """From the beginning without a common record."""
    position = Position(37, None, TOPIC)
    truncated = gap(position)
    assert truncated[:5] == (GapReason.TRUNCATED, 0, 7, 10, None)
    assert truncated.after(27, position)[:5] == (GapReason.TRUNCATED, 0, 9, 28, None)
    assert replaced(Position(20, 25, TOPIC), HELD, 0)[:5] == (GapReason.REPLACED, 0, 1, 10, 30)
    assert replaced(Position(20, 25, TOPIC), HELD, 0).after(15, Position(20))[:5] == (GapReason.REPLACED, 0, 4, 16, 30)


def test_error_names_each_partition_with_its_count() -> None:
    """The error ends with the remedy."""
    text = str(gap_error("events", [gap(Position(4, None, TOPIC)), gap(Position(37, None, TOPIC))]))
    assert "6 records" in text
    assert "7 records" in text
    assert "--on-gap continue" in text


@given(*(st.integers(0, 40) for _ in range(3)), st.none() | st.integers(0, 40), st.sampled_from(["t", "u", ""]))
def test_read_continues_within_the_topic(offset: int, begin: int, size: int, stop: int | None, topic_id: str) -> None:
    """No gap means a position that Kafka holds; a gap ends at one, and a stop is never behind the end."""
    held = OffsetRange(begin, begin + size, begin)
    found = find_gap(Position(offset, stop, TOPIC), held, TopicIdentity("c", topic_id), 0)
    if found is None:
        assert topic_id != "u"
        assert begin <= offset <= held.end or (stop is not None and stop <= offset <= held.end)
    else:
        assert found.missing >= 0
        assert found.resume_at in range(held.begin, held.end + 1) or found.resume_at == stop
