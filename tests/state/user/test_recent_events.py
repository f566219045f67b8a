"""state/user/recent_events, against a list of all events."""

from hypothesis import given
from hypothesis import strategies as st

from state.row.layout import RECENT_EVENTS
from state.user.recent_events import RecentEvents
from tests.support.rows import is_empty, make_row

EVENTS = st.integers(0, 2**32 - 1)


@given(st.lists(EVENTS, max_size=3 * RECENT_EVENTS), EVENTS)
def test_last_64_events_are_known(added: list[int], other: int) -> None:
    """An older event counts as new."""
    events = RecentEvents(make_row())
    for event in added:
        events.add(event)
    kept = added[-RECENT_EVENTS:]
    assert sorted(events.hashes) == sorted(kept)
    assert all(event in events for event in kept)
    assert (other in events) == events.has(other) == (other in kept)


def test_new_event_takes_the_place_of_the_oldest() -> None:
    """The ring is as large as before."""
    events = RecentEvents(make_row())
    for event in range(RECENT_EVENTS + 2):
        events.add(event)
    assert (events.hashes[:3], events.next) == ([64, 65, 2], 2)


@given(st.lists(EVENTS, max_size=2 * RECENT_EVENTS))
def test_clear_leaves_no_bytes(added: list[int]) -> None:
    """The row equals that of a new user, and other rows are as they were."""
    row = make_row(room=2)
    events = RecentEvents(row)
    for event in added:
        events.add(event)
    row.move_to(1)
    assert is_empty(row)
    row.move_to(0)
    events.clear()
    assert is_empty(row)
