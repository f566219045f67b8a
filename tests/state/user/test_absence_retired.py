"""state/user/absence: `retire` of a user during an absence.

────x──x─x───x─┼──────────────┼─────────────────────────────┼x──x──▶
   learned     │   90 days    │ retired at any time in here │ the same
               │              │ or not at all               │ either way
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.user import codec
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from tests.support.absences import BACK, EVENTS, STRICT, T, like, lives, observe, word, writes
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation, make_pin


def retired(state: UserState) -> UserState:
    """Return the state after the store's scan: reduced, or a new one."""
    twin = codec.unpack(codec.pack(state), CATALOGUE)
    return codec.unpack(codec.pack(twin), CATALOGUE) if twin.retire() else UserState()


@settings(max_examples=300)
@given(
    lives(),
    st.lists(EVENTS, max_size=6),
    st.lists(EVENTS, max_size=10),
    st.integers(1, 400 * DAY_MS),
    st.sampled_from([RULES, STRICT]),
)
def test_retiring_changes_nothing_of_what_follows(
    before: list[Observation], back: list[Observation], stale: list[Observation], more_ms: int, rules: Rules
) -> None:
    """Any life, an absence long enough, then any events: first such that end it, then also older ones and repeats."""
    left = observe(*before, rules=rules)
    writes(left)
    gone = retired(left)
    absence_ms = left.newest_ms - START_MS + rules.idle_ms + more_ms
    after = [replace(o, at_ms=o.at_ms + absence_ms) for o in back]
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
        ([word(Kind.GRANT, T), like(T + 1)], False),
        ([word(Kind.DENY, T)], True),
        ([make_pin(T, "tone", "formal")], True),
        ([make_pin(T, "tone", "formal"), make_pin(T + 1, "tone", None)], True),
        ([word(Kind.FORGET, T)], True),
        ([word(Kind.DENY, T), word(Kind.GRANT, T + 1)], True),
    ],
)
def test_what_outlives_an_absence_is_kept(events: list[Observation], is_kept: bool) -> None:
    """An explicit no, pins, and the time of a wipe, by which Redis knows what is newer than it."""
    state = observe(*events)
    writes(state)
    assert state.retire() is is_kept
    assert len(codec.pack(state)) < 80
    assert (state.windows, state.preferences) == (None, None)


@given(lives())
def test_retiring_twice_is_retiring_once(events: list[Observation]) -> None:
    """And whoever has only retired is known by it, so that a scan need not write them again."""
    state = observe(*events)
    writes(state)
    assert state.is_retired is not bool(events)
    is_kept = state.retire()
    packed = codec.pack(state)
    assert state.is_retired
    assert state.retire() is is_kept
    assert codec.pack(state) == packed


def test_who_comes_back_is_no_longer_retired() -> None:
    """The next absence ends in another scan."""
    state = observe(make_pin(T, "tone", "formal"))
    writes(state)
    state.retire()
    state.observe(make_observation(BACK), RULES)
    assert not state.is_retired
