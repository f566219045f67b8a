"""Values by topic and surface, under changing catalogues and after a forget."""

from array import array

import msgspec
import pytest

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.events.observation import Kind
from state.row.layout import ROWS
from state.user import codec
from state.user.emitted import NEVER
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from tests.state.user.test_contexts import FORMAT, mixed_taste, observed
from tests.support.factories import CATALOGUE, RULES, START_MS, USER, make_observation


def with_formats(values: tuple[str, ...]) -> NumberedCatalogue:
    """Return the catalogue with other values of the format, or without the format if there are none."""
    changed = {"format": msgspec.structs.replace(CATALOGUE.facets["format"], values=values, prompt={}, hint={})}
    facets = {name: facet for name, facet in (CATALOGUE.facets | changed).items() if facet.values}
    vocabulary = Vocabulary().including(CATALOGUE)
    found = msgspec.structs.replace(CATALOGUE, facets=facets, vocabulary=None)
    return found.numbered(vocabulary.including(found))


def packed() -> tuple[bytes, str]:
    """Return a user with values by topic, and one of these values in chats about code."""
    state = observed(mixed_taste())
    state.take_writes(USER, CATALOGUE)
    return codec.pack(state), CATALOGUE.slots[served(state, CATALOGUE, "code", "chat")].value


def served(state: UserState, catalogue: NumberedCatalogue, topic: str, surface: str) -> int:
    own, emitted = state.preferences, state.emitted
    assert own is not None
    keys = state.model.keys_of(catalogue.topic_index[topic], catalogue.surface_index[surface])
    slots = emitted.served(catalogue.careful_facets, own.contexts.find(keys), catalogue.ranked_slots)
    return array("h", slots)[FORMAT]


def test_reordered_values_keep_the_values_in_contexts() -> None:
    """The record of emitted values does not depend on the file's order."""
    data, before = packed()
    catalogue = with_formats(("table", "code", "bullets", "prose", "poem"))
    state = codec.unpack(data, catalogue)
    assert catalogue.slots[served(state, catalogue, "code", "chat")].value == before == "code"


@pytest.mark.parametrize("values", [("prose", "bullets"), ()])
def test_removed_value_or_facet_is_not_served_in_contexts(values: tuple[str, ...]) -> None:
    """An answer that logs its choices is observed under the smaller catalogue."""
    data, _ = packed()
    catalogue = with_formats(values)
    state = codec.unpack(data, catalogue)
    assert served(state, catalogue, "code", "chat") == served(state, catalogue, "planning", "voice")


def test_forgotten_facet_has_no_record_of_emitted_values() -> None:
    """The packed state has neither the value, nor its numbers, nor the values by topic."""
    tone = make_observation(START_MS, served={"tone": "formal"}, feedback="thumbs_up", topic="email", turn=999)
    state = observed([tone, *mixed_taste()])
    emitted, own = state.emitted, state.preferences
    assert own is not None
    assert any(emitted.rank(FORMAT, place) for place in range(ROWS))
    state.observe(make_observation(START_MS + 9 * DAY_MS, kind=Kind.FORGET, facets=["format"]), RULES)
    assert not any(emitted.rank(FORMAT, place) for place in range(ROWS))
    numbers = {name: state.row.numbers(name) for name in state.row.layout.offsets if name.startswith("emitted_")}
    assert not any(numbers["emitted_evidence"][2 * FORMAT : 2 * FORMAT + 2])
    assert numbers["emitted_slots"][FORMAT] == NEVER
    assert numbers["emitted_tiers"][FORMAT] == numbers["emitted_confidences"][FORMAT] == 0


@pytest.mark.parametrize("narrowed", ["tone", None])
def test_feedback_that_trains_nothing_replaces_no_context(narrowed: str | None) -> None:
    """Feedback on a facet that was not served, or toward a value beyond the last one, has no context."""
    state = observed(mixed_taste())
    names = ("context_keys", "context_weights", "effects", "emitted_ranks")
    before = [state.row.numbers(name) for name in names]
    assert any(before[0])
    for n, topic in enumerate(("travel", "data", "planning", "research", "email")):
        served = {"format": "prose"} if narrowed else {"length": "concise"}
        kind, facets = ("thumbs_up", [narrowed]) if narrowed else ("shorter", [])
        at_ms = START_MS + 9 * DAY_MS + n
        state.observe(
            make_observation(at_ms, served=served, feedback=kind, topic=topic, turn=500 + n, facets=facets), RULES
        )
    assert [state.row.numbers(name) for name in names] == before
