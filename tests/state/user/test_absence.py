"""state/user/absence: a user restarts after more than 90 days of absence.

      learned                 90 days and more                 restart
────x──x─x───x─┼──────────────────────────────────────────────┼x──x──▶
  grant        │         retired at any time in between       │ new grant needed
               └ kept: an opt-out, pins, the last wipe ───────┘
"""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.events.records import Reason
from state.user import codec
from state.user.absence import RECLAIM_GRACE_MS
from state.user.consent import DENIED, LAPSED
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS, HOUR_MS
from state.user.writes import GateWrite, SignalWrite
from tacit.contract.gates import ScopeConsent
from tacit.contract.signals import PROFILE, decode_signal
from tests.support.absences import BACK, IDLE_MS, STRICT, T, control, like, lives, observe, pin, writes
from tests.support.decoded_writes import Shown
from tests.support.factories import CATALOGUE, RULES, make_observation


def shown(*observations: Observation, rules: Rules = RULES) -> Shown:
    """Return the contents of Redis when each event is written on its own."""
    state, redis = UserState(CATALOGUE), Shown()
    for o in observations:
        state.observe(o, rules)
        redis.take(writes(state))
    return redis


# Restart


def test_user_restarts_after_more_than_90_days() -> None:
    """An absence of exactly 90 days changes nothing."""
    stays = observe(like(T), make_observation(T + IDLE_MS))
    assert stays.has_preferences
    assert stays.seq == 2
    restarts = observe(like(T), make_observation(T + IDLE_MS + 1))
    assert not restarts.has_preferences
    assert restarts.seq == 1


@pytest.mark.parametrize("back", [like(BACK), pin(BACK, "tone", "formal"), control(Kind.GRANT, BACK)])
def test_returning_user_equals_a_new_one(back: Observation) -> None:
    """Packed states are equal, with any event as the first one."""
    assert codec.pack(observe(like(T), like(T + 1), back)) == codec.pack(observe(back))


def test_absence_is_counted_from_the_last_accepted_event() -> None:
    """Late, repeated and unconsented events do not end an absence."""
    state = observe(control(Kind.GRANT, T), rules=STRICT)
    assert state.observe(make_observation(T - 1), STRICT).outcome is Outcome.UNCONSENTED
    assert state.observe(make_observation(T + IDLE_MS), STRICT).outcome is Outcome.ACCEPTED
    assert state.observe(make_observation(T + 2 * IDLE_MS), STRICT).outcome is Outcome.ACCEPTED
    assert state.observe(make_observation(T + 3 * IDLE_MS + 1), STRICT).outcome is Outcome.UNCONSENTED


def test_versions_grow_over_an_absence() -> None:
    """The count restarts, but the time of a version is newer."""
    redis = shown(like(T), like(T + 1))
    before = redis.fields["length"]["v"]
    after = shown(like(T), like(T + 1), like(BACK)).fields["length"]
    assert after["v"] == f"{BACK}-0000000001" > before
    assert after["evidence"] == 1.0


def test_idle_time_is_a_rule() -> None:
    """The rules set the idle time; here it is an hour."""
    rules = Rules(CATALOGUE, idle_ms=HOUR_MS)
    assert not observe(like(T), make_observation(T + HOUR_MS + 1), rules=rules).has_preferences


# Consent


def test_granted_consent_lapses() -> None:
    """With required consent, training waits for a new grant; the gate shows since when."""
    state = observe(control(Kind.GRANT, T), like(T + 1), rules=STRICT)
    shown = Shown().take(writes(state))
    back = state.observe(like(BACK), STRICT)
    assert (back.outcome, back.wipes) == (Outcome.UNCONSENTED, True)
    assert shown.take(writes(state)).gate.learn == ScopeConsent("lapsed", T + 1 + IDLE_MS)
    assert not state.has_preferences
    again = state.observe(like(BACK + 1), STRICT)
    assert (again.outcome, again.wipes) == (Outcome.UNCONSENTED, False)
    assert state.observe(control(Kind.GRANT, BACK + 1), STRICT).outcome is Outcome.ACCEPTED
    assert state.observe(like(BACK + 2), STRICT).outcome is Outcome.ACCEPTED


def test_lapsed_grant_has_no_effect_with_consent_by_default() -> None:
    """The catalogue's default applies again."""
    state = observe(control(Kind.GRANT, T))
    assert state.observe(like(BACK), RULES).outcome is Outcome.ACCEPTED
    assert state.consent.states == [LAPSED] * 3


def test_long_lapsed_consent_is_as_if_never_asked_for() -> None:
    """The state of such a user may be freed at any time, so nothing of it may remain."""
    state = observe(control(Kind.GRANT, T), like(T + 1), rules=STRICT)
    writes(state)
    assert state.observe(like(T + 2 + IDLE_MS + RECLAIM_GRACE_MS), STRICT).outcome is Outcome.UNCONSENTED
    assert codec.pack(state) == codec.pack(UserState(CATALOGUE))
    assert writes(state) == []


@pytest.mark.parametrize("days", [0, 95])
def test_gate_that_outlives_a_consent_shows_its_end(days: int) -> None:
    """A gate with a pin has no expiry, so the consent in it must end by a write."""
    state = observe(control(Kind.GRANT, T), pin(T + 1, "tone", "formal"), like(T + 2), rules=STRICT)
    shown = Shown().take(writes(state))
    if days:
        state.observe(like(T + days * DAY_MS), STRICT)
        assert shown.take(writes(state)).gate.learn.state == "lapsed"
    state.observe(like(T + 3 + IDLE_MS + RECLAIM_GRACE_MS), STRICT)
    assert shown.take(writes(state)).gate.learn == ScopeConsent("unasked", T + 2 + IDLE_MS + RECLAIM_GRACE_MS)
    assert shown.pins == {"tone": "formal"}


def test_no_outlives_an_absence() -> None:
    """After an absence of any length, no signal of the user is written."""
    state = observe(pin(T, "tone", "formal"), control(Kind.DENY, T + 1))
    assert state.observe(like(T + 1000 * DAY_MS), RULES).outcome is Outcome.UNCONSENTED
    state.observe(pin(T + 2000 * DAY_MS, "format", "table"), RULES)
    assert state.consent.states == [DENIED] * 3
    assert {type(write) for write in writes(state)} == {GateWrite}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_grant_from_before_an_absence_does_not_hold_after_it(order: Sequence[int]) -> None:
    """Neither a repeat of the grant nor a late grant from before the absence holds."""
    events = [control(Kind.GRANT, T), pin(BACK, "tone", "formal")]
    state = observe(*[events[place] for place in order], rules=STRICT)
    assert state.observe(events[0], STRICT).outcome in {Outcome.BEFORE_WIPE, Outcome.DUPLICATE}
    assert state.observe(like(BACK + 1), STRICT).outcome is Outcome.UNCONSENTED


def test_no_that_was_revoked_before_an_absence_stays_revoked() -> None:
    """A repeat of the no changes neither the state nor Redis."""
    no = control(Kind.DENY, T)
    events = [no, control(Kind.GRANT, T + 1), make_observation(BACK), no]
    assert observe(*events).consent.states == [LAPSED] * 3
    assert shown(*events).gate.use == ScopeConsent("lapsed", T + 1 + IDLE_MS)


def test_unwritten_grant_is_not_lost_in_an_absence() -> None:
    """The gate is written although a wipe follows in the same batch. Otherwise the earlier opt-out would stay."""
    state, redis = observe(control(Kind.DENY, T)), Shown()
    redis.take(writes(state))
    for o in (control(Kind.GRANT, T + 1), control(Kind.FORGET, BACK), make_observation(BACK + 1)):
        state.observe(o, RULES)
    assert PROFILE in redis.take(writes(state)).fields


def test_late_no_counts() -> None:
    """A no of any age takes effect."""
    state = observe(like(BACK))
    assert state.observe(control(Kind.DENY, T), RULES).outcome is Outcome.ACCEPTED
    assert state.consent.states == [DENIED] * 3
    assert not state.has_preferences


# What was seen before


def test_repeat_of_an_event_from_before_an_absence_is_late() -> None:
    """The state drops the id, but the time of the event is too old."""
    first = like(T)
    state = observe(first, make_observation(BACK))
    assert state.observe(first, RULES).outcome is Reason.LATE


def test_id_of_an_event_from_before_an_absence_may_come_again() -> None:
    """A repeat of the old event would have its time; this event has a new one."""
    state = observe(make_observation(T, event=5))
    assert state.observe(make_observation(BACK, event=5), RULES).outcome is Outcome.ACCEPTED


def test_wipes_outlive_an_absence() -> None:
    """Events older than the wipe stay dropped."""
    forget = control(Kind.FORGET, T)
    state = observe(forget, like(BACK))
    assert (state.consent.wiped_ms, state.consent.forgotten_ms) == (T, T)
    assert state.observe(pin(T, "tone", "formal"), RULES).outcome is Outcome.BEFORE_WIPE
    assert state.observe(forget, RULES).outcome is Outcome.DUPLICATE


# What is shown


def test_pins_outlive_an_absence() -> None:
    """Pins are the user's own settings."""
    assert shown(pin(T, "tone", "formal"), make_observation(BACK)).pins == {"tone": "formal"}


def test_no_learned_facet_is_emitted_after_an_absence() -> None:
    """The signals have expired. With an unlimited time to live they stay until newer ones replace them."""
    rules = Rules(CATALOGUE, ttl_ms=None)
    state = observe(like(T), rules=rules)
    writes(state)
    state.observe(make_observation(BACK), rules)
    (write,) = writes(state)
    assert isinstance(write, SignalWrite)
    assert [field for field, _ in write.fields] == [PROFILE]


def test_signals_from_before_an_absence_keep_their_time() -> None:
    """A signal of a batch that also has later events expires as if it had been written in time."""
    state = observe(control(Kind.DENY, T), control(Kind.GRANT, T + 1), like(T + 2), like(BACK))
    *gates, old, new = writes(state)
    assert [type(write) for write in gates] == [GateWrite] * 3
    assert isinstance(old, SignalWrite)
    assert isinstance(new, SignalWrite)
    assert (old.at_ms, new.at_ms) == (T + 2, BACK)
    assert writes(state) == []


def test_signals_from_before_an_absence_keep_their_exploration() -> None:
    """Consent that lapses in the same batch does not reach back, so the cut of batches has no effect."""
    state = UserState(CATALOGUE)
    for o in (control(Kind.GRANT, T), like(T + 1)):
        state.observe(o, STRICT)
    state.observe(like(BACK), STRICT)
    old = next(write for write in writes(state) if isinstance(write, SignalWrite))
    assert all(decode_signal(text).explore > 0 for name, text in old.fields if name != PROFILE)


def test_wipe_drops_signals_from_before_an_absence() -> None:
    """Waiting signals of wiped state are not written."""
    state = observe(like(T), like(BACK), control(Kind.FORGET, BACK + 1))
    assert [type(write) for write in writes(state)] == [GateWrite]


@settings(max_examples=200)
@given(lives(), st.lists(st.booleans(), min_size=20, max_size=20), st.sampled_from([RULES, STRICT]))
def test_contents_of_redis_do_not_depend_on_batches(events: list[Observation], cuts: list[bool], rules: Rules) -> None:
    """Some batches include an absence."""
    state, redis = UserState(CATALOGUE), Shown()
    for o, cut in zip(events, cuts, strict=False):
        state.observe(o, rules)
        if cut:
            redis.take(writes(state))
    assert redis.take(writes(state)).fields == shown(*events, rules=rules).fields


@given(lives(), st.sampled_from([RULES, STRICT]))
def test_events_without_a_change_change_nothing(events: list[Observation], rules: Rules) -> None:
    """The state depends on the other events alone, also after an absence."""
    state, calm = UserState(CATALOGUE), UserState(CATALOGUE)
    for o in events:
        if state.observe(o, rules).changes:
            assert calm.observe(o, rules).changes
        assert codec.pack(state) == codec.pack(calm)
