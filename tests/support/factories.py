"""Events and observations with a default for each member."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from zlib import crc32

from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Kind, Observation
from state.events.records import FileOrigin, Record
from state.user.consent import SCOPE_NUMBERS
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS, HOUR_MS, MINUTE_MS
from tacit.contract.catalogue import Consent
from tacit.contract.versions import version

START_MS = 20_779 * DAY_MS
"""A midnight, UTC."""
USER = bytes(range(16))
ORIGIN = FileOrigin("events.jsonl")

CATALOGUE_FILE = Path(__file__).with_name("catalogue.toml")
REQUIRED = NumberedCatalogue.load(CATALOGUE_FILE)
"""The catalogue of the tests, not the shipped one; learning requires a consent event."""
CATALOGUE = replace(REQUIRED, consent=Consent("granted"))
"""The same catalogue with consent granted by default."""
RULES = Rules(CATALOGUE)

FILMS = """
schema = 1
[consent]
default = "granted"
[surfaces]
values = ["film"]
[facets.genre]
title = "Genre"
multiple = true
values = ["action", "comedy", "drama"]
[facets.decade]
title = "Decade"
ordered = true
values = ["1990s", "2000s"]
default = "2000s"
[topics]
values = ["cinema", "divorce"]
sensitive = ["divorce"]
[feedback.thumbs_up]
label = true
[feedback.thumbs_down]
label = false
weight = 0.5
"""
"""Catalogue of another deployment: a facet with several values at once, no prompts."""

Served = Mapping[str, str | Sequence[str]]

_new_event = count(1_000_000)


def make_event(**fields: Any) -> dict[str, Any]:
    """Return an event as a dict: an interaction without optional members by default; `...` removes a member."""
    event = {
        "schema": 1,
        "event_id": "e-1",
        "type": "interaction",
        "user_id": "ada",
        "at": START_MS,
        "region": "eu",
        **fields,
    }
    return {name: value for name, value in event.items() if value is not ...}


FULL_EVENT = make_event(
    turn_id="t-1",
    surface="chat",
    topic="code",
    locale="de-AT",
    served={"length": "concise", "format": ["bullets"]},
    item="card:7",
    feedback={"kind": "thumbs_up", "facets": ["length"]},
    acted_on=[{"facet": "length", "value": "concise", "version": version(START_MS, 3), "propensity": 0.95}],
)


def make_record(event: Mapping[str, Any] | bytes, position: int = 1) -> Record:
    """Return a record of an event or of any bytes."""
    value = event if isinstance(event, bytes) else json.dumps(event).encode()
    return Record(ORIGIN, position, value)


def make_observation(
    at_ms: int = START_MS,
    *,
    kind: Kind = Kind.INTERACTION,
    user: bytes = USER,
    event: int | None = None,
    turn: int = 0,
    topic: str | None = None,
    surface: str | None = None,
    item: int = 0,
    served: Served | None = None,
    feedback: str | None = None,
    facets: Sequence[str] = (),
    acted: Sequence[tuple[str, str, float]] = (),
    proposed: Sequence[tuple[str, str]] = (),
    scopes: Sequence[int] = (),
    record_ms: int = 0,
    is_foreign: bool = False,
    catalogue: NumberedCatalogue = CATALOGUE,
) -> Observation:
    """Return an observation by names of the catalogue; by default its event is unique, and a consent for all scopes.

    Entries of `acted` have no runner-up.
    """
    if kind in {Kind.GRANT, Kind.DENY}:
        scopes = scopes or SCOPE_NUMBERS
    return Observation(
        user=user,
        at_ms=at_ms,
        kind=kind,
        event=next(_new_event) if event is None else event,
        turn=turn,
        topic=NONE if topic is None else catalogue.topic_index[topic],
        surface=NONE if surface is None else catalogue.surface_index[surface],
        item=item,
        feedback=NONE if feedback is None else catalogue.feedback_index[feedback],
        slots=[*scopes] or slots(served or {}, catalogue),
        facets=[catalogue.facet_index[name] for name in facets],
        acted=[(catalogue.slot_index[facet][value], propensity, NONE) for facet, value, propensity in acted],
        record_ms=record_ms,
        is_foreign=is_foreign,
        proposed=[catalogue.slot_index[facet][value] for facet, value in proposed],
    )


def make_pin(at_ms: int, facet: str, value: str | None, *, user: bytes = USER, event: int | None = None) -> Observation:
    """Return a pin; with value None, the removal of a pin."""
    served = {} if value is None else {facet: value}
    return make_observation(at_ms, kind=Kind.PIN, served=served, facets=[facet], user=user, event=event)


def pinned(state: UserState, catalogue: NumberedCatalogue = CATALOGUE) -> dict[str, str]:
    """Return the pinned values of a user: facet name → value."""
    return {
        catalogue.facet_names[facet]: catalogue.slots[pin.slot].value
        for facet, pin in state.pins.items()
        if state.pins.is_set(facet, catalogue)
    }


def slots(served: Served, catalogue: NumberedCatalogue = CATALOGUE) -> list[int]:
    """Return the slots of served values, ascending."""
    index = catalogue.slot_index
    pairs = [(facet, [values] if isinstance(values, str) else values) for facet, values in served.items()]
    return sorted(index[facet][value] for facet, values in pairs for value in values)


def interactions(users: Sequence[bytes] = (USER,)) -> st.SearchStrategy[Observation]:
    """Return a strategy for interactions within five hours or forty days."""
    times = st.integers(0, 5 * HOUR_MS) | st.integers(0, 40).map(lambda days: days * DAY_MS)
    one_per_facet = st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(facet.values) for name, facet in CATALOGUE.facets.items()}
    )
    return st.builds(
        make_observation,
        times.map(lambda after_ms: START_MS + after_ms),
        user=st.sampled_from(users),
        event=st.integers(1, 200),
        turn=st.integers(0, 24),
        topic=st.none() | st.sampled_from(CATALOGUE.topics.values),
        surface=st.none() | st.sampled_from(CATALOGUE.surfaces.values),
        item=st.integers(0, 3),
        served=one_per_facet,
        feedback=st.none() | st.sampled_from(CATALOGUE.feedback_names),
        facets=st.just(()) | st.lists(st.sampled_from(CATALOGUE.facet_names), max_size=2),
    )


def control_events(users: Sequence[bytes] = (USER,), pins: bool = True) -> st.SearchStrategy[Observation]:
    """Return a strategy for consent events, forgets and pins within five hours, from topics and from files."""
    times = st.integers(0, 300).map(lambda minutes: START_MS + minutes * MINUTE_MS)
    common = {"user": st.sampled_from(users), "event": st.integers(1, 3), "record_ms": st.just(0) | times}
    kinds = st.sampled_from([Kind.GRANT, Kind.GRANT, Kind.DENY])
    scopes = st.just(SCOPE_NUMBERS) | st.lists(st.sampled_from(SCOPE_NUMBERS), min_size=1, unique=True).map(sorted)
    forgotten = st.just(()) | st.just(()) | st.lists(st.sampled_from(CATALOGUE.facet_names), min_size=1, max_size=2)
    consents = st.builds(make_observation, times, kind=kinds, scopes=scopes, **common)
    forgets = st.builds(make_observation, times, kind=st.just(Kind.FORGET), facets=forgotten, **common)
    if not pins:
        return (consents | forgets).map(_with_content_hash)
    pairs = [(slot.value, CATALOGUE.facet_names[slot.facet]) for slot in CATALOGUE.slots]
    choices = st.sampled_from([*pairs, *((None, facet) for facet in CATALOGUE.facet_names)])
    return (
        consents
        | forgets
        | st.builds(
            lambda at_ms, choice, user, event, record_ms: replace(
                make_pin(at_ms, choice[1], choice[0], user=user, event=event), record_ms=record_ms
            ),
            times,
            choices,
            **common,
        )
    ).map(_with_content_hash)


def _with_content_hash(o: Observation) -> Observation:
    """Return a control event with a hash of its content, as the parser makes it."""
    return replace(o, event=crc32(repr((o.kind, o.at_ms, list(o.slots), list(o.facets), o.event)).encode()))
