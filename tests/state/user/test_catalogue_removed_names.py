"""Names that left the catalogue are not emitted, and return with the catalogue."""

from dataclasses import replace

import pytest

from state.events.observation import Kind
from state.user.gate import gate_of
from state.user.user_state import UserState
from state.user.windows import DAY_MS, MINUTE_MS
from tacit.contract.signals import PROFILE
from tests.support.catalogue_changes import (
    FIRST,
    ONLY_TONE,
    WITHOUT_MID,
    CatalogueNames,
    Deployment,
    experienced,
    observe,
    pin,
    signals,
    turn,
)
from tests.support.factories import START_MS, make_observation, pinned

T = START_MS
LATER_MS = T + 20 * DAY_MS
"""Half a signal's time to live has passed since T."""


def test_removed_value_is_replaced_at_the_next_event() -> None:
    """An event of any kind emits the best remaining value."""
    deployment = Deployment(FIRST)
    state = experienced(deployment)
    assert signals(state, deployment.catalogue)["length"].value == "mid"
    state = deployment.change(state, replace(FIRST, facets=WITHOUT_MID))
    fields = observe(state, deployment, turn(deployment, T + MINUTE_MS, {}, None))
    assert fields["length"]["value"] in {"low", "off"}
    assert fields.keys() <= {"length", PROFILE}
    assert observe(state, deployment, turn(deployment, T + MINUTE_MS + 1, {}, None)) == {}


def test_removed_facet_is_not_emitted_until_its_return() -> None:
    """The signal is due in the meantime, and is emitted after the facet returns."""
    deployment = Deployment(FIRST)
    state = deployment.change(experienced(deployment), replace(FIRST, facets=ONLY_TONE))
    for n in range(3):
        assert "length" not in observe(state, deployment, turn(deployment, LATER_MS + n, {}, None))
    state = deployment.change(state, FIRST)
    fields = observe(state, deployment, turn(deployment, LATER_MS + 3, {}, None))
    assert fields["length"]["value"] == "mid"


def test_removed_feedback_kind_is_no_reason() -> None:
    """`why` names kinds of the catalogue only; the count returns with the kind."""
    deployment = Deployment(FIRST)
    state = experienced(deployment)
    before = signals(state, deployment.catalogue)["length"]
    kinds = dict(before.why)
    assert kinds["liked"] == 2
    state = deployment.change(state, replace(FIRST, kinds=("disliked", "more")))
    without = signals(state, deployment.catalogue)["length"]
    assert dict(without.why) == {kind: count for kind, count in kinds.items() if kind != "liked"}
    assert without.evidence == before.evidence
    state = deployment.change(state, FIRST)
    assert signals(state, deployment.catalogue)["length"].why == before.why


@pytest.mark.parametrize("change", [replace(FIRST, topics=("travel", "code")), replace(FIRST, sensitive=("mail",))])
def test_removed_or_sensitive_topic_is_not_in_the_profile(change: CatalogueNames) -> None:
    """The shares of the other topics add up to 1.

    A removed topic returns with its weight when the catalogue has it again; a sensitive one does not.
    """
    deployment = Deployment(FIRST)
    state = deployment.change(experienced(deployment), change)
    topics = dict(observe(state, deployment, turn(deployment, T + DAY_MS, {}, None))[PROFILE]["topics"])
    assert topics.keys() == {"code", "travel"}
    assert sum(topics.values()) == pytest.approx(1, abs=0.002)
    state = deployment.change(state, FIRST)
    topics = dict(observe(state, deployment, turn(deployment, T + 2 * DAY_MS, {}, None))[PROFILE]["topics"])
    assert topics.keys() == ({"code", "travel"} if change.sensitive else {"code", "travel", "mail"})


# Pins


def pinned_to_mid(deployment: Deployment, *, learned: bool) -> UserState:
    state = experienced(deployment) if learned else UserState(deployment.catalogue)
    observe(state, deployment, pin(deployment, T + 100, "length", "mid"))
    return state


@pytest.mark.parametrize("learned", [True, False])
def test_pin_of_a_removed_value_is_in_force_after_its_return(learned: bool) -> None:
    """The gate keeps the name, and a reader skips it while the catalogue lacks it."""
    deployment = Deployment(FIRST)
    state = deployment.change(pinned_to_mid(deployment, learned=learned), replace(FIRST, facets=WITHOUT_MID))
    assert pinned(state, deployment.catalogue) == {}
    assert gate_of(state.consent, state.pins, deployment.catalogue).pins["length"].value == "mid"
    state = deployment.change(state, FIRST)
    assert pinned(state, deployment.catalogue) == {"length": "mid"}


def test_facet_with_an_inactive_pin_is_learned() -> None:
    """Feedback is emitted as usual; a newer pin replaces the inactive one."""
    deployment = Deployment(FIRST)
    state = deployment.change(pinned_to_mid(deployment, learned=True), replace(FIRST, facets=WITHOUT_MID))
    likes = [turn(deployment, T + 200 + n, {"length": "off"}, "liked") for n in range(20)]
    assert observe(state, deployment, *likes)["length"]["value"] == "off"
    observe(state, deployment, pin(deployment, T + 300, "length", "low"))
    assert pinned(state, deployment.catalogue) == {"length": "low"}


def test_forget_drops_an_inactive_pin() -> None:
    """The pin does not return with its value."""
    deployment = Deployment(FIRST)
    state = deployment.change(pinned_to_mid(deployment, learned=True), replace(FIRST, facets=WITHOUT_MID))
    observe(state, deployment, make_observation(T + 200, kind=Kind.FORGET))
    assert pinned(deployment.change(state, FIRST), deployment.catalogue) == {}
