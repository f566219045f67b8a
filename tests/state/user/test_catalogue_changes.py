"""Catalogue changes under stored state: no belief moves to another name, and no removed name is emitted."""

from dataclasses import replace

import pytest

from state.errors import StateError
from state.learning.preferences import Preferences
from state.user import codec
from state.user.user_state import UserState
from tests.support.catalogue_changes import (
    FIRST,
    LONGER,
    ONLY_TONE,
    WITHOUT_MID,
    CatalogueNames,
    Deployment,
    beliefs,
    experienced,
    make_catalogue,
    observe,
    pin,
    signals,
    turn,
    without_sensitive,
)
from tests.support.factories import START_MS

T = START_MS

CHANGES = [
    replace(FIRST, facets=LONGER),
    replace(FIRST, facets={"length": ("auto", "low", "off", "mid", "high"), "tone": ("mid", "low", "high")}),
    replace(FIRST, facets={"length": ("high", "mid", "low"), "tone": ("high", "low")}),
    replace(FIRST, facets=WITHOUT_MID),
    replace(FIRST, facets={"tone": ("low", "high"), "length": ("low", "mid", "high")}),
    replace(FIRST, facets={"format": ("low", "high"), "length": FIRST.facets["length"], "tone": ("low", "high")}),
    replace(FIRST, facets=ONLY_TONE),
    replace(FIRST, topics=("health", "travel", "code", "mail")),
    replace(FIRST, topics=("mail",)),
    replace(FIRST, sensitive=("mail",)),
    replace(FIRST, kinds=("less", "more", "disliked", "liked")),
    replace(FIRST, kinds=("disliked", "more")),
]
IDS = [
    "value added at the end", "values added in front and between", "values reordered", "value replaced",
    "facets reordered", "facet added in front", "facet removed", "topic added, topics reordered", "topics removed",
    "topic became sensitive", "feedback kind added, kinds reordered", "feedback kind removed",
]  # fmt: skip


# Beliefs keep their names


@pytest.mark.parametrize("change", CHANGES, ids=IDS)
def test_change_shifts_no_beliefs(change: CatalogueNames) -> None:
    """Beliefs by name are unchanged, also after the change is reverted; the weight of a sensitive topic is gone."""
    deployment = Deployment(FIRST)
    state = experienced(deployment)
    known = without_sensitive(beliefs(state, deployment.catalogue), change)
    signals_before = signals(state, deployment.catalogue)
    changed = deployment.change(state, change)
    assert beliefs(changed, deployment.catalogue) == known
    back = deployment.change(changed, FIRST)
    assert beliefs(back, deployment.catalogue) == known
    assert signals(back, deployment.catalogue) == signals_before


@pytest.mark.parametrize("change", [CHANGES[2], *CHANGES[4:6], *CHANGES[7:10]], ids=[IDS[2], *IDS[4:6], *IDS[7:10]])
def test_change_that_leaves_a_facets_values_leaves_its_signal(change: CatalogueNames) -> None:
    """The numbers of the signal stay the same to the last digit."""
    deployment = Deployment(FIRST)
    state = experienced(deployment)
    before = signals(state, deployment.catalogue)
    after = signals(deployment.change(state, change), deployment.catalogue)
    assert {name: after[name] for name in before} == before


def test_new_value_starts_at_the_prior() -> None:
    """A new value has no evidence, so at most the value is the runner-up."""
    deployment = Deployment(FIRST)
    state = experienced(deployment)
    before = signals(state, deployment.catalogue)["length"]
    state = deployment.change(state, replace(FIRST, facets=LONGER))
    after = signals(state, deployment.catalogue)["length"]
    assert (after.value, after.p, after.runner_up) == (before.value, before.p, "auto")
    new, fresh = deployment.catalogue.slot_index["length"]["auto"], Preferences(deployment.catalogue)
    assert state.preferences is not None
    assert (state.preferences.means[new], state.preferences.variances[new]) == (0.0, fresh.variances[new])


def test_state_of_a_longer_table_is_rejected_under_a_shorter_one() -> None:
    """An example is a state folder with an older table and newer state."""
    deployment = Deployment(FIRST)
    short = deployment.catalogue
    state = deployment.change(experienced(deployment), replace(FIRST, facets=LONGER))
    with pytest.raises(StateError, match="6 values and 2 facets, the table of numbers 5 and 2"):
        codec.unpack(codec.pack(state), short)


def test_pin_of_a_longer_table_is_rejected_under_a_shorter_one() -> None:
    """A state with only a pin is checked, too."""
    deployment = Deployment(replace(FIRST, facets=LONGER))
    state = UserState(deployment.catalogue)
    observe(state, deployment, pin(deployment, T, "tone", "high"))
    with pytest.raises(StateError, match="restore the whole state folder"):
        codec.unpack(codec.pack(state), make_catalogue(replace(FIRST, facets=ONLY_TONE)))


# What is learned under the new catalogue


def test_directed_feedback_follows_the_order_of_the_file() -> None:
    """A new value between two others is the next value of both."""
    deployment = Deployment(replace(FIRST, kinds=("more",)))
    between = {"length": ("low", "auto", "mid", "high"), "tone": ("low", "high")}
    state = deployment.change(UserState(deployment.catalogue), replace(FIRST, facets=between, kinds=("more",)))
    observe(state, deployment, turn(deployment, T, {"length": "low"}, "more"))
    known = beliefs(state, deployment.catalogue)
    assert known["slot", "length", "low"][0] < 0 < known["slot", "length", "auto"][0]
    assert ("slot", "length", "mid") not in known


def test_beliefs_of_removed_values_do_not_change() -> None:
    """The user likes the opposite in the meantime."""
    deployment = Deployment(FIRST)
    state = experienced(deployment)
    for n in range(60):
        kind, value = (("liked", "low"), ("disliked", "high"))[n % 2]
        observe(state, deployment, turn(deployment, T + 100 + n, {"length": value}, kind))
    resting = beliefs(state, deployment.catalogue)["slot", "length", "mid"]
    state = deployment.change(state, replace(FIRST, facets=WITHOUT_MID))
    for n in range(60):
        kind, value = (("liked", "high"), ("disliked", "low"))[n % 2]
        observe(state, deployment, turn(deployment, T + 1000 + n, {"length": value}, kind))
    assert beliefs(state, deployment.catalogue)["slot", "length", "high"][0] > 0
    assert beliefs(state, deployment.catalogue)["slot", "length", "mid"] == resting
