"""Changing catalogues: tests compare beliefs and signals by name, never by number."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.events.observation import Kind, Observation
from state.learning.decisions import decide, find
from state.learning.population_prior import Prior
from state.learning.signals import learned_signal
from state.learning.terms import BIAS_VARIANCE, SLOPE_VARIANCE, VALUE_VARIANCES
from state.user import codec
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import SignalWrite
from tacit.contract.signals import PROFILE, Signal
from tests.support.factories import START_MS, USER, make_observation
from tests.support.user_models import all_means, all_variances

FACETS = ("length", "tone", "format")
VALUES = ("low", "mid", "high", "auto", "off")
TOPICS = ("code", "mail", "travel", "health")
KINDS = ("liked", "disliked", "more", "less")
_PRIORS = array("f", [*VALUE_VARIANCES.values(), SLOPE_VARIANCE, BIAS_VARIANCE])
_NOTHING = (
    *((0.0, variance) for variance in _PRIORS),
    0.0,
    0,
    None,
)
"""Numbers of a name without evidence."""


@dataclass(frozen=True)
class CatalogueNames:
    """The names in a catalogue's file, in order."""

    facets: Mapping[str, Sequence[str]]
    topics: Sequence[str] = ()
    sensitive: Sequence[str] = ()
    kinds: Sequence[str] = field(default=KINDS)


def make_catalogue(file: CatalogueNames) -> NumberedCatalogue:
    """Return a catalogue; its facets are ordered, and `more` and `less` move all of them."""
    more, less = ({"moves": dict.fromkeys(file.facets, direction)} for direction in ("up", "down"))
    meanings = {"liked": {"label": True}, "disliked": {"label": False}, "more": more, "less": less}
    return msgspec.convert(
        {
            "schema": 1,
            "consent": {"default": "granted"},
            "facets": {
                name: {"title": name, "values": values, "ordered": True} for name, values in file.facets.items()
            },
            "topics": {"values": file.topics, "sensitive": file.sensitive},
            "feedback": {kind: meanings[kind] for kind in file.kinds},
        },
        NumberedCatalogue,
    )


def some(names: Sequence[str], least: int = 0) -> st.SearchStrategy[list[str]]:
    """Return a strategy for some of the names in any order."""
    return st.permutations(names).flatmap(lambda order: st.integers(least, len(order)).map(lambda n: order[:n]))


@st.composite
def catalogue_names(draw: st.DrawFn) -> CatalogueNames:
    """Draw a catalogue's file: any of the names above, in any order."""
    facets = {name: draw(some(VALUES, 2)) for name in draw(some(FACETS, 1))}
    topics = draw(some(TOPICS))
    return CatalogueNames(facets, topics, draw(some(topics)), draw(some(KINDS, 1)))


FIRST = CatalogueNames(
    {"length": ("low", "mid", "high"), "tone": ("low", "high")},
    ("code", "mail", "travel"),
    (),
    ("liked", "disliked", "more"),
)
LONGER = {"length": ("low", "mid", "high", "auto"), "tone": FIRST.facets["tone"]}
WITHOUT_MID = {"length": ("low", "high", "off"), "tone": FIRST.facets["tone"]}
ONLY_TONE = {"tone": FIRST.facets["tone"]}
"""The first catalogue of a folder, and its later facets."""


class Deployment:
    """A user's state through changes of the catalogue: each change packs and unpacks the state."""

    def __init__(self, file: CatalogueNames) -> None:
        self.vocabulary = Vocabulary()
        self.catalogue = self._number(file)

    def change(self, state: UserState, file: CatalogueNames) -> UserState:
        """Restart with another catalogue, and return the user's state."""
        packed = codec.pack(state)
        self.catalogue = self._number(file)
        return codec.unpack(packed, self.catalogue)

    def _number(self, file: CatalogueNames) -> NumberedCatalogue:
        catalogue = make_catalogue(file)
        self.vocabulary = self.vocabulary.including(catalogue)
        return catalogue.numbered(self.vocabulary)


def without_sensitive(found: dict[tuple[str, ...], Any], file: CatalogueNames) -> dict[tuple[str, ...], Any]:
    """Return beliefs (`beliefs`) without the topics that are sensitive under another catalogue."""
    return {name: known for name, known in found.items() if name[0] != "topic" or name[1] not in file.sensitive}


def beliefs(state: UserState, catalogue: NumberedCatalogue) -> dict[tuple[str, ...], Any]:
    """Return beliefs, pins and emitted decisions by name, including names that left the catalogue.

    Names without evidence are left out.
    """
    names = [("slot", catalogue.facet_names[facet], value) for facet, value in catalogue.slots]
    found: dict[tuple[str, ...], Any] = {}
    if preferences := state.preferences:
        pairs = zip(all_means(preferences), all_variances(preferences), strict=True)
        slopes = [("slope", facet) for facet in catalogue.facet_names]
        found |= dict(zip([*names, *slopes, ("bias",)], pairs, strict=True))
        for number, facet in enumerate(catalogue.facet_names):
            found["facet", facet] = preferences.has_feedback(number)
        sent = zip(*map(state.row.numbers, ("emitted_slots", "emitted_tiers", "emitted_confidences")), strict=True)
        for number, (slot, tier, confidence) in enumerate(sent):
            emitted = (names[slot], tier, confidence) if slot >= 0 else None
            found["sent", catalogue.facet_names[number]] = emitted
    for number, pin in state.pins.items():
        found["pin", catalogue.facet_names[number]] = names[pin.slot] if pin.slot >= 0 else "taken back", pin.at_ms
    if state.has_windows:
        topics = catalogue.vocabulary.topics if catalogue.vocabulary else catalogue.topics.values
        weights = zip(state.windows.topic_ids, state.windows.topic_weights, strict=True)
        found |= {("topic", topics[number]): weight for number, weight in weights if weight}
    return {name: known for name, known in found.items() if known not in _NOTHING}


def emitted(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Any]:
    """Return the waiting write: field → decoded JSON."""
    return {
        name: msgspec.json.decode(content)
        for write in state.take_writes(USER, catalogue)
        if isinstance(write, SignalWrite)
        for name, content in write.fields
    }


def emitted_names(fields: Mapping[str, Any]) -> set[str]:
    """Return all names in signals and profile: `facet`, `facet=value`, `?kind` and `#topic`."""
    found = {f"#{topic}" for topic, _ in fields.get(PROFILE, {"topics": ()})["topics"]}
    for facet, signal in fields.items():
        if facet != PROFILE:
            values = (signal["value"], signal["runner_up"], signal["default"])
            found |= {facet, *(f"{facet}={value}" for value in values if value)}
            found |= {f"?{kind}" for kind, _ in signal["why"]}
    return found


def turn(
    deployment: Deployment, at_ms: int, served: dict[str, str], feedback: str | None, topic: str | None = None
) -> Observation:
    return make_observation(at_ms, served=served, feedback=feedback, topic=topic, catalogue=deployment.catalogue)


def pin(deployment: Deployment, at_ms: int, facet: str, value: str | None) -> Observation:
    served = {} if value is None else {facet: value}
    return make_observation(at_ms, kind=Kind.PIN, served=served, facets=[facet], catalogue=deployment.catalogue)


def observe(state: UserState, deployment: Deployment, *observations: Observation) -> dict[str, Any]:
    """Observe an event, and return its write."""
    for o in observations:
        state.observe(o, Rules(deployment.catalogue))
    return emitted(state, deployment.catalogue)


def experienced(deployment: Deployment) -> UserState:
    """Return a user with a taste for middle length and high tone, after events with all names of `FIRST`."""
    state = UserState(deployment.catalogue)
    for n in range(0, 30, 3):
        observe(
            state, deployment,
            turn(deployment, START_MS + n, {"length": "mid", "tone": "high"}, "liked", "code"),
            turn(deployment, START_MS + n + 1, {"length": "high", "tone": "low"}, "disliked", "mail"),
            turn(deployment, START_MS + n + 2, {"length": "low"}, "more", ("code", "travel")[n % 2]),
        )  # fmt: skip
    return state


def signals(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Signal]:
    """Return the current signal of each facet."""
    beliefs = state.beliefs(Prior(catalogue))
    return {
        name: learned_signal(catalogue, find(beliefs, facet, decide(beliefs, facet), START_MS, 1))
        for name, facet in catalogue.facet_index.items()
    }
