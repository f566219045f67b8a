"""Positions as snapshots: later versions read those of earlier ones."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.positions import MARKS, Mark, Position, TopicIdentity, with_mark
from state.events.records import KafkaOrigin, Record

ORIGIN = KafkaOrigin("events", 0)
OFFSETS = st.integers(0, 2**62)
ANY_MARK = st.builds(Mark, OFFSETS, st.integers(0, 2**32 - 1))
IDENTITIES = st.builds(TopicIdentity, st.text(), st.text())


@given(st.builds(Position, OFFSETS, st.none() | OFFSETS, IDENTITIES, OFFSETS, st.lists(ANY_MARK).map(tuple)))
def test_position_survives_a_snapshot(position: Position) -> None:
    """A snapshot is a tuple of plain values; marks behind the position are dropped, as they were given back."""
    found = Position.from_snapshot(position.to_snapshot())
    kept = tuple(mark for mark in position.marks if mark.offset < position.offset)
    assert found == position._replace(marks=kept)


@given(st.integers(0, 500))
def test_marks_are_few_and_reach_back(count: int) -> None:
    """The newest half is complete, and the oldest stays."""
    marks: tuple[Mark, ...] = ()
    for offset in range(count):
        marks = with_mark(marks, Mark(offset, 0))
    offsets = [mark.offset for mark in marks]
    assert len(offsets) <= MARKS
    assert offsets == sorted(offsets)
    assert offsets[-MARKS // 2 :] == list(range(max(0, count - MARKS // 2), count))
    assert offsets[:1] == [0][:count]


def test_snapshot_of_an_earlier_version_has_no_identity() -> None:
    """An earlier version saved the next offset and the stop."""
    assert Position.from_snapshot((12, 15)) == Position(12, 15, TopicIdentity(), 0, ())


def test_mark_depends_on_value_and_time() -> None:
    """Another record at the same offset has another mark; a record without a value or a time has one, too."""
    times = (0, 1_795_297_433_438, 1_795_297_433_439)
    marks = {Mark.of(Record(ORIGIN, 3, value, at)) for value in (b"", b"a", b"b") for at in times}
    assert len(marks) == 9
