"""state/user/control: control events in any order."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from state.events.observation import Kind, Observation
from state.user.consent import DENIED, GRANTED, UNSET
from state.user.user_state import UserState
from tests.support.decoded_writes import Shown
from tests.support.factories import CATALOGUE, RULES, USER, control_events, interactions, pinned


def observe(*observations: Observation) -> UserState:
    state = UserState()
    for o in observations:
        state.observe(o, RULES)
    return state


@given(
    st.lists(control_events(pins=False), max_size=12, unique_by=lambda o: o.event), st.randoms(use_true_random=False)
)
def test_consent_and_wipes_commute(emitted: list[Observation], random: Random) -> None:
    """Any order of control events leaves the same registers."""
    state, shuffled = observe(*emitted), observe(*random.sample(emitted, len(emitted)))
    assert state.consent.wiped_ms == shuffled.consent.wiped_ms
    assert state.consent.forgotten_ms == shuffled.consent.forgotten_ms
    assert (state.consent.choice, state.consent.at_ms) == (shuffled.consent.choice, shuffled.consent.at_ms)
    assert state.consent.wiped_ms == max((o.at_ms for o in emitted if o.kind in {Kind.DENY, Kind.FORGET}), default=0)
    consents = [(o.at_ms, DENIED if o.kind == Kind.DENY else GRANTED) for o in emitted if o.kind != Kind.FORGET]
    assert (state.consent.at_ms, state.consent.choice) == max(consents, default=(0, UNSET))


@given(
    st.lists(
        control_events().filter(lambda o: o.kind != Kind.DENY),
        max_size=12,
        unique_by=(lambda o: o.event, lambda o: o.at_ms),
    ),
    st.randoms(use_true_random=False),
)
def test_pins_and_forgets_commute(emitted: list[Observation], random: Random) -> None:
    """A younger forget drops a pin, in any order of arrival."""
    assert observe(*emitted).pins == observe(*random.sample(emitted, len(emitted))).pins


@settings(max_examples=300)
@given(st.lists(control_events() | interactions(), max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_emitted_pins_are_those_of_the_user(events: list[Observation], cuts: list[bool]) -> None:
    """After any events in any order and batches, emitted pins equal the user's pins; an opted-out user has none."""
    state, shown = UserState(), Shown()
    for o, cut in zip(events, cuts, strict=False):
        state.observe(o, RULES)
        if cut:
            shown.take(state.take_writes(USER, CATALOGUE))
    shown.take(state.take_writes(USER, CATALOGUE))
    set_by_user = {name: emitted["value"] for name, emitted in shown.fields.items() if emitted.get("source") == "user"}
    assert set_by_user == ({} if state.consent.opted_out else pinned(state))
    if state.consent.opted_out:
        assert (state.windows, state.preferences) == (None, None)
        assert shown.fields == {}
    if state.windows is None:
        assert "_profile" not in shown.fields
