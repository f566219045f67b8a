"""An event resolved against the catalogue: numbers for names, a digest for the person, packed for the exchange.

Between processes Bytewax pickles every item, and packed bytes are the cheapest thing to pickle. What no part of the
state uses (raw ids, locale) is checked and not carried. `origin` and `sha256` come along so that an event which only
the state can turn away (`late`) is rejected like any other.
"""

from array import array
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from state.catalogue.numbered import NumberedCatalogue
from state.events.records import FileOrigin, KafkaOrigin, Origin
from tacit.contract.events import Consent, Event, Forget, Interaction, Pin


class Kind(IntEnum):
    """What an observation does to a person's state."""

    INTERACTION = 0
    GRANT = 1
    DENY = 2
    PIN = 3
    FORGET = 4


NONE = -1
"""No topic, surface or feedback."""


class Observation(NamedTuple):
    """One event about one person; indexes and slots are the catalogue's."""

    user: bytes
    """16-byte digest."""
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
    """What was served, ascending; for a pin its value, or nothing to take it back."""
    facets: Sequence[int]
    """What the feedback is narrowed to, or nothing; for a pin its facet."""
    acted: Sequence[tuple[int, float]]
    """What the answer followed: slots, and how likely each was to be chosen, 0–1."""
    origin: Origin
    position: int
    sha256: bytes


class NotInCatalogueError(ValueError):
    """An event names something outside the vocabulary; the text is the field's path, never the value."""


class TooManyValuesError(ValueError):
    """A facet that takes one value came with several; the text is the field's path."""


_HEADER = Struct("<16sqIIBhhIbHBBHQ32s")
_ACTED = Struct("<Hf")


def resolve(
    event: Event, user: bytes, at_ms: int, catalogue: NumberedCatalogue, origin: Origin, position: int, sha256: bytes
) -> Observation:
    """Return the event with numbers for names. `at_ms` is its time, after what the reader's clock had to say about it.

    Raises:
        NotInCatalogueError: with the path of the field that names something else.
        TooManyValuesError: with the path of the facet.
    """
    turn = item = 0
    topic = surface = feedback = NONE
    slots: Sequence[int] = ()
    facets: Sequence[int] = ()
    acted: Sequence[tuple[int, float]] = ()
    if isinstance(event, Interaction):
        kind = Kind.INTERACTION
        turn = _hash(event.turn_id) if event.turn_id is not None else 0
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
            acted = _acted_on(event, catalogue)
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
        slots, facets, acted, origin, position, sha256,
    )  # fmt: skip


def _hash(name: str) -> int:
    return crc32(name.encode()) or 1  # 0 stands for none


def _index(names: dict[str, int], name: str, path: str) -> int:
    try:
        return names[name]
    except KeyError:
        raise NotInCatalogueError(path) from None


def _served_slots(served: dict[str, str | list[str]], catalogue: NumberedCatalogue) -> Sequence[int]:
    slots: set[int] = set()
    facets = catalogue.slot_index
    for facet, values in served.items():
        try:
            index = facets[facet]
            if isinstance(values, str):
                slots.add(index[values])
                continue
            slots.update([index[value] for value in values])
        except KeyError:
            raise NotInCatalogueError(f"served.{facet if facet in facets else '*'}") from None
        if len(values) > 1 and not catalogue.facets[facet].multiple:
            raise TooManyValuesError(f"served.{facet}")
    return sorted(slots)


def _acted_on(event: Interaction, catalogue: NumberedCatalogue) -> list[tuple[int, float]]:
    return [
        (_index(catalogue.slot_index.get(acted.facet, {}), acted.value, "acted_on.*"), acted.propensity)
        for acted in event.acted_on or ()
    ]


def pack(o: Observation) -> bytes:
    """Return the observation as bytes for the exchange between workers."""
    tail = 2 * len(o.slots) + len(o.facets) + _ACTED.size * len(o.acted)
    return b"".join(
        (
            _HEADER.pack(
                o.user, o.at_ms, o.event, o.turn, o.kind, o.topic, o.surface, o.item, o.feedback,
                len(o.slots), len(o.facets), len(o.acted), tail, o.position, o.sha256,
            ),
            array("H", o.slots).tobytes(),
            bytes(o.facets),
            *([_ACTED.pack(*acted) for acted in o.acted] if o.acted else ()),
            _pack_origin(o.origin),
        )
    )  # fmt: skip


def unpack(data: bytes) -> Observation:
    """Return what `pack` packed, propensities in single precision."""
    (user, at_ms, event, turn, kind, topic, surface, item, feedback,
     slots, facets, acted, tail, position, sha256) = _HEADER.unpack_from(data)  # fmt: skip
    start = _HEADER.size
    middle = start + 2 * slots
    acted_at = middle + facets
    end = start + tail
    return Observation(
        user, at_ms, kind, event, turn, topic, surface, item, feedback,
        array("H", data[start:middle]), data[middle:acted_at],
        list(_ACTED.iter_unpack(data[acted_at:end])) if acted else (),
        _unpack_origin(data[end:]), position, sha256,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _pack_origin(origin: Origin) -> bytes:
    if isinstance(origin, KafkaOrigin):
        return f"k{origin.partition}:{origin.topic}".encode()
    return b"f" + origin.file.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=4096)
def _unpack_origin(data: bytes) -> Origin:
    if data[:1] == b"f":
        return FileOrigin(data[1:].decode("utf-8", "surrogateescape"))
    partition, _, topic = data[1:].decode().partition(":")
    return KafkaOrigin(topic, int(partition))
