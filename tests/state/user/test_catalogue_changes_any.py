"""Any sequence of catalogues and events: beliefs keep their names, and no removed name is emitted."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.events.observation import Kind, Observation
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from state.user.user_state import UserState
from state.user.windows import MINUTE_MS
from tests.support.catalogue_changes import (
    CatalogueNames,
    Deployment,
    beliefs,
    catalogue_names,
    emitted_names,
    make_catalogue,
    observe,
    pin,
    turn,
    without_sensitive,
)
from tests.support.factories import START_MS, pinned


class Act(NamedTuple):
    """A user action: a turn with feedback, or a pin of the first served value."""

    pins: bool
    served: dict[str, str]
    feedback: str
    topic: str | None

    def under(self, deployment: Deployment, at_ms: int) -> Observation:
        if self.pins and self.served:
            return pin(deployment, at_ms, *next(iter(self.served.items())))
        return turn(deployment, at_ms, self.served, self.feedback, self.topic)


History = Sequence[tuple[CatalogueNames, Sequence[Act]]]
"""Catalogues in turn, each with acts of a user."""


@st.composite
def histories(draw: st.DrawFn) -> History:
    return [
        (file, draw(st.lists(acts(file), max_size=12)))
        for file in draw(st.lists(catalogue_names(), min_size=1, max_size=5))
    ]


def acts(file: CatalogueNames) -> st.SearchStrategy[Act]:
    served = st.fixed_dictionaries({}, optional={name: st.sampled_from(v) for name, v in file.facets.items()})
    pins = st.sampled_from([False, False, False, True])
    return st.builds(Act, pins, served, st.sampled_from(file.kinds), st.sampled_from([None, *file.topics]))


def may_be_emitted(file: CatalogueNames) -> set[str]:
    """Return all names that may be emitted under a catalogue, in the form of `emitted_names`."""
    values = {f"{facet}={value}" for facet, values in file.facets.items() for value in values}
    topics = {f"#{topic}" for topic in set(file.topics) - set(file.sensitive)}
    return {*file.facets, *values, *topics, *(f"?{kind}" for kind in file.kinds)}


def means(state: UserState, deployment: Deployment, file: CatalogueNames) -> dict[tuple[str, str], float]:
    """Return the mean of each value that the catalogue has."""
    known = beliefs(state, deployment.catalogue)
    return {(f, v): known.get(("slot", f, v), (0.0,))[0] for f, values in file.facets.items() for v in values}


IDLE = 10_000
"""Distance of the contexts of topics that left the catalogue from those of present ones."""


def learned_apart(
    state: UserState, deployment: Deployment, file: CatalogueNames, o: Observation
) -> dict[tuple[str, str], float]:
    """Return the means of an equal user model after an event, by the numbers of the file alone."""
    ours = deployment.catalogue
    own = make_catalogue(file).numbered(_table_of(file, ours))
    twin = Preferences(own)
    slots = {ours.slot_index[f][v]: own.slot_index[f][v] for f, values in file.facets.items() for v in values}
    facets = {our: own.facet_index[name] for name, our in ours.facet_index.items() if name in own.facet_index}
    held, its = state.row.array[state.row.at], twin.row.array[0]
    if state.has_preferences:
        for numbers, fields in ((slots, ("means", "variances")), (facets, ("slopes", "slope_variances"))):
            for our, number in numbers.items():
                for name in fields:
                    its[name][number] = held[name][our]
        for name in ("bias", "bias_variance", "mood", "mood_variance", "mood_s", "context_weights"):
            its[name] = held[name]
    topics = {number: own.topic_index[name] for name, number in ours.topic_index.items()}
    keys = {key: own.topic_keys.get(topics[topic], 0) for topic, key in ours.topic_keys.items()}
    its["context_keys"] = [keys.get(key, key and key + IDLE) for key in held["context_keys"].tolist()]
    for slot, number in slots.items():
        term, own_term = ours.context_terms[slot][0], own.context_terms[number][0]
        its["effects"][:, own_term] = held["effects"][:, term]
    kind = own.feedback_index[ours.feedback_names[o.feedback]]
    topic = topics.get(o.topic, o.topic)
    renumbered = replace(o, slots=sorted(slots[slot] for slot in o.slots), feedback=kind, topic=topic)
    twin.learn_feedback(renumbered, own.feedback_kinds[kind], own.feedback_kinds[kind].weight, Prior(own))
    return {(f, v): twin.means[number] for f, values in own.slot_index.items() for v, number in values.items()}


def _table_of(file: CatalogueNames, ours: NumberedCatalogue) -> Vocabulary:
    """Return the vocabulary of a file alone, with the scale positions of the deployment's vocabulary."""
    alone = Vocabulary().including(make_catalogue(file))
    places = [ours.slot_places[ours.slot_index[facet][value]] for facet, value in alone.slots]
    return msgspec.structs.replace(alone, places=tuple(places))


def is_learned_from(o: Observation, deployment: Deployment) -> bool:
    return o.kind == Kind.INTERACTION and bool(o.slots) and o.topic not in deployment.catalogue.sensitive_topics


@settings(max_examples=150)
@given(histories())
def test_any_changes_shift_no_beliefs(history: History) -> None:
    """A restart changes no belief by name, and training does not depend on the numbers.

    Only the weight of a topic that became sensitive is dropped.
    """
    deployment, at_ms = Deployment(history[0][0]), START_MS
    state = UserState(deployment.catalogue)
    for file, done in history:
        known = without_sensitive(beliefs(state, deployment.catalogue), file)
        state = deployment.change(state, file)
        assert beliefs(state, deployment.catalogue) == known
        for act in done:
            at_ms += MINUTE_MS
            o = act.under(deployment, at_ms)
            learns = is_learned_from(o, deployment)
            expected = learned_apart(state, deployment, file, o) if learns else means(state, deployment, file)
            observe(state, deployment, o)
            assert means(state, deployment, file) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=150)
@given(histories())
def test_any_changes_emit_no_removed_name(history: History) -> None:
    """Beliefs of removed values stay as they are, and no signal, reason, pin or topic has a removed name."""
    deployment, at_ms = Deployment(history[0][0]), START_MS
    state = UserState(deployment.catalogue)
    for file, done in history:
        state = deployment.change(state, file)
        before = beliefs(state, deployment.catalogue)
        for act in done:
            at_ms += MINUTE_MS
            emitted = observe(state, deployment, act.under(deployment, at_ms))
            assert emitted_names(emitted) <= may_be_emitted(file)
            assert {
                f"{facet}={value}" for facet, value in pinned(state, deployment.catalogue).items()
            } <= may_be_emitted(file)
        after = beliefs(state, deployment.catalogue)
        removed = [key for key in {*before, *after} if key[0] == "slot" and key[2] not in file.facets.get(key[1], ())]
        assert {key: after.get(key) for key in removed} == {key: before.get(key) for key in removed}
