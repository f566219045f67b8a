"""state/user/absence: `retire` of a user during an absence.

────x──x─x───x─┼──────────────┼─────────────────────────────┼x──x──▶
   learned     │   90 days    │ retired at any time in here │ the same
               │              │ or not at all               │ either way
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.user import codec
from state.user.absence import RECLAIM_GRACE_MS
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from tests.support.absences import EVENTS, STRICT, T, control, like, lives, moved, observe, pin, writes
from tests.support.factories import CATALOGUE, RULES, START_MS


def retired(state: UserState) -> UserState:
    """Return the state after the store's scan: a reduced state, or a new one."""
    twin = codec.unpack(codec.pack(state), CATALOGUE)
    return codec.unpack(codec.pack(twin), CATALOGUE) if twin.retire(0) else UserState(CATALOGUE)


@settings(max_examples=300)
@given(
    lives(),
    st.lists(EVENTS, max_size=6),
    st.lists(EVENTS, max_size=10),
    st.integers(1, 400 * DAY_MS),
    st.sampled_from([RULES, STRICT]),
)
def test_retiring_has_no_effect_on_later_events(
    before: list[Observation], back: list[Observation], stale: list[Observation], more_ms: int, rules: Rules
) -> None:
    """The events after the absence may be old, and may be repeats. Only live runs retire, so records have times."""
    left = observe(*before, rules=rules)
    writes(left)
    gone = retired(left)
    absence_ms = left.newest_ms - START_MS + rules.idle_ms + RECLAIM_GRACE_MS + more_ms
    after = [moved(o, absence_ms) for o in back]
    outcomes = [left.observe(o, rules).outcome for o in after]
    assert [gone.observe(o, rules).outcome for o in after] == outcomes
    if Outcome.ACCEPTED in outcomes:
        for o in [*stale, *before]:
            assert gone.observe(o, rules) == left.observe(o, rules)
        assert codec.pack(gone) == codec.pack(left)
    assert writes(gone) == writes(left)


@pytest.mark.parametrize(
    ("events", "is_kept"),
    [
        ([like(T)], False),
        ([control(Kind.GRANT, T), like(T + 1)], False),
        ([control(Kind.DENY, T)], True),
        ([pin(T, "tone", "formal")], True),
        ([pin(T, "tone", "formal"), pin(T + 1, "tone", None)], False),
        ([control(Kind.FORGET, T)], True),
        ([control(Kind.DENY, T), control(Kind.GRANT, T + 1)], True),
    ],
)
def test_retired_state_keeps_opt_outs_pins_and_wipes(events: list[Observation], is_kept: bool) -> None:
    """The time of a wipe orders the signals in Redis."""
    state = observe(*events)
    writes(state)
    assert state.retire(0) is is_kept
    assert (state.has_windows, state.has_preferences) == (False, False)


@given(lives())
def test_retiring_twice_is_retiring_once(events: list[Observation]) -> None:
    """A later scan of the store frees nothing more."""
    state = observe(*events)
    writes(state)
    is_kept = state.retire(0)
    packed = codec.pack(state)
    assert state.retire(0) is is_kept
    assert codec.pack(state) == packed
