"""An observation: an event resolved against the catalogue, with numbers for names and a pseudonym for the user.

Between processes Bytewax pickles every item; packed bytes are the cheapest item to pickle. A member that the state does
not use (raw ids, `locale`) is checked by the contract and not carried. `origin` and `sha256` are carried for a reject
that only the state can decide (`late`). The hash is computed at once: computed later it would need the record, and
with it the raw user id.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from zlib import crc32

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.events.records import Origin, pack_origin
from tacit.contract.events import ActedOn, Consent, Event, Forget, Interaction, Pin


class Kind(IntEnum):
    """The effect of an observation on the user's state."""

    INTERACTION = 0
    GRANT = 1
    DENY = 2
    PIN = 3
    FORGET = 4


NONE = -1
"""No topic, surface or feedback."""


class Observation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event of one user, by the catalogue's numbers."""

    user: bytes
    """16-byte pseudonym."""
    at_ms: int
    kind: int
    event: int
    """32-bit hash of the event id."""
    turn: int
    """32-bit hash of the turn id; 0: none."""
    topic: int
    surface: int
    item: int
    """32-bit hash of the item's id; 0: none."""
    feedback: int
    slots: Sequence[int]
    """Served values, ascending; of a pin its value, empty when the pin is removed."""
    facets: Sequence[int]
    """Facets that the feedback is narrowed to, empty for all; of a pin its facet."""
    acted: Sequence[tuple[int, float]]
    """Values that the answer followed: slot and propensity (0–1)."""
    origin: bytes
    """Packed: `state.events.records.unpack_origin`."""
    position: int
    sha256: bytes


class NotInCatalogueError(ValueError):
    """A name outside the catalogue; the text is the member's path, never the name."""


class TooManyValuesError(ValueError):
    """Several values of a facet that takes one; the text is the member's path."""


pack = msgspec.msgpack.Encoder().encode
"""Return an observation as bytes for the exchange between workers."""

unpack = msgspec.msgpack.Decoder(Observation).decode
"""Return the observation in packed bytes."""


def resolve(
    event: Event, user: bytes, at_ms: int, catalogue: NumberedCatalogue, origin: Origin, position: int, sha256: bytes
) -> Observation:
    """Return the event with numbers for names. `at_ms` is the event's time, corrected by the reader's clock.

    Raises:
        NotInCatalogueError: with the path of a member outside the catalogue.
        TooManyValuesError: with the path of the facet.
    """
    turn = item = 0
    topic = surface = feedback = NONE
    slots: Sequence[int] = ()
    facets: Sequence[int] = ()
    acted: Sequence[tuple[int, float]] = ()
    if isinstance(event, Interaction):
        kind = Kind.INTERACTION
        if event.turn_id is not None:
            turn = _hash(event.turn_id)
        if event.topic is not None:
            topic = _index(catalogue.topic_index, event.topic, "topic")
        if event.surface is not None:
            surface = _index(catalogue.surface_index, event.surface, "surface")
        if event.item is not None:
            item = _hash(event.item)
        if event.served:
            slots = _served_slots(event.served, catalogue)
        if event.feedback is not None:
            feedback = _index(catalogue.feedback_index, event.feedback.kind, "feedback.kind")
            if event.feedback.facets is not None:
                facets = [_index(catalogue.facet_index, name, "feedback.facets.*") for name in event.feedback.facets]
        if event.acted_on:
            acted = _acted_slots(event.acted_on, catalogue)
    elif isinstance(event, Consent):
        kind = Kind.GRANT if event.granted else Kind.DENY
    elif isinstance(event, Pin):
        kind = Kind.PIN
        facets = (_index(catalogue.facet_index, event.facet, "facet"),)
        if event.value is not None:
            slots = (_index(catalogue.slot_index[event.facet], event.value, "value"),)
    elif isinstance(event, Forget):
        kind = Kind.FORGET
    return Observation(
        user, at_ms, kind, _hash(event.event_id), turn, topic, surface, item, feedback,
        slots, facets, acted, pack_origin(origin), position, sha256,
    )  # fmt: skip


def _hash(name: str) -> int:
    return crc32(name.encode()) or 1  # 0 means none


def _index(names: Mapping[str, int], name: str, path: str) -> int:
    try:
        return names[name]
    except KeyError:
        raise NotInCatalogueError(path) from None


def _served_slots(served: Mapping[str, str | list[str]], catalogue: NumberedCatalogue) -> list[int]:
    index = catalogue.slot_index
    try:
        return sorted([index[facet][value] for facet, value in served.items()])  # type: ignore[index]
    except (KeyError, TypeError):  # a list of values, or a name outside the catalogue
        return sorted({slot for facet, values in served.items() for slot in _facet_slots(facet, values, catalogue)})


def _facet_slots(facet: str, values: str | list[str], catalogue: NumberedCatalogue) -> list[int]:
    index = catalogue.slot_index.get(facet)
    names = [values] if isinstance(values, str) else values
    if index is None or not index.keys() >= set(names):
        raise NotInCatalogueError(f"served.{'*' if index is None else facet}")
    if len(names) > 1 and not catalogue.facets[facet].multiple:
        raise TooManyValuesError(f"served.{facet}")
    return [index[name] for name in names]


def _acted_slots(acted_on: Sequence[ActedOn], catalogue: NumberedCatalogue) -> list[tuple[int, float]]:
    return [
        (_index(catalogue.slot_index.get(acted.facet, {}), acted.value, "acted_on.*"), acted.propensity)
        for acted in acted_on
    ]
