"""An observation: an event resolved against the catalogue, with numbers for names and a pseudonym for the user.

Between processes Bytewax pickles every item; packed bytes are the cheapest item to pickle. A member that the state does
not use (raw ids, `locale`) is checked by the contract and not carried. `origin` and `sha256` are carried for a reject
that only the state can decide (`late`). The hash is computed at once: computed later it would need the record, and
with it the raw user id.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from hashlib import blake2b, sha256
from zlib import crc32

import msgspec
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.records import Record, pack_origin
from tacit.contract.events import ActedOn, Consent, ControlEvent, Interaction, Pin
from tacit.contract.gates import SCOPES


class Kind(IntEnum):
    """The effect of an observation on the user's state."""

    INTERACTION = 0
    GRANT = 1
    DENY = 2
    PIN = 3
    FORGET = 4


CONTROL_NAMES = {Kind.GRANT: "consent", Kind.DENY: "consent", Kind.PIN: "pin", Kind.FORGET: "forget"}
"""Kind of a control event → type of the event."""

NONE = -1
"""No topic, surface or feedback."""


class Observation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event of one user, by the catalogue's numbers."""

    user: bytes
    """16-byte pseudonym."""
    at_ms: int
    kind: int
    event: int
    """32-bit hash of the event id; of a control event, 64-bit hash of its content."""
    turn: int
    """32-bit hash of the turn id; 0: none."""
    topic: int
    surface: int
    item: int
    """32-bit hash of the item's id; 0: none."""
    feedback: int
    slots: Sequence[int]
    """Served values, ascending; of a pin its value, empty when the pin is removed; of a consent its scopes."""
    facets: Sequence[int]
    """Facets that feedback or a forget is narrowed to, empty for all; of a pin its facet."""
    acted: Sequence[tuple[int, float, int]]
    """Values that the answer followed: slot, propensity (0–1), and slot of the runner-up or `NONE`."""
    origin: bytes
    """Packed: `state.events.records.unpack_origin`."""
    position: int
    sha256: bytes
    record_ms: int = 0
    """Of a control event, the record's own time, epoch ms; 0: the source has none."""
    is_foreign: bool = False
    """A control event of another region, for a user who may be known here."""
    proposed: Sequence[int] = ()
    """Slots that the answer would have had, in apprentice mode."""


class NotInCatalogueError(ValueError):
    """A name outside the catalogue; the text is the member's path, never the name."""


class TooManyValuesError(ValueError):
    """Several values of a facet that takes one; the text is the member's path."""


pack = msgspec.msgpack.Encoder().encode
"""Return an observation as bytes for the exchange between workers."""

unpack = msgspec.msgpack.Decoder(Observation).decode
"""Return the observation in packed bytes."""


def resolve(event: Interaction, user: bytes, record: Record, catalogue: NumberedCatalogue) -> Observation:
    """Return an interaction with numbers for names.

    Raises:
        NotInCatalogueError: with the path of a member outside the catalogue.
        TooManyValuesError: with the path of the facet.
    """
    feedback = event.feedback
    return Observation(
        user,
        event.at,
        Kind.INTERACTION,
        _hash(event.event_id),
        0 if event.turn_id is None else _hash(event.turn_id),
        NONE if event.topic is None else _index(catalogue.topic_index, event.topic, "topic"),
        NONE if event.surface is None else _index(catalogue.surface_index, event.surface, "surface"),
        0 if event.item is None else _hash(event.item),
        NONE if feedback is None else _index(catalogue.feedback_index, feedback.kind, "feedback.kind"),
        _served_slots(event.served, catalogue) if event.served else (),
        ()
        if feedback is None or feedback.facets is None
        else [_index(catalogue.facet_index, name, "feedback.facets.*") for name in feedback.facets],
        _acted_slots(event.acted_on, catalogue, "acted_on.*") if event.acted_on else (),
        pack_origin(record.origin),
        record.position,
        sha256(record.value).digest(),
        0,
        False,
        [slot for slot, _, _ in _acted_slots(event.proposed, catalogue, "proposed.*")] if event.proposed else (),
    )


def resolve_control(
    event: ControlEvent, user: bytes, record: Record, catalogue: NumberedCatalogue, *, is_foreign: bool
) -> Observation:
    """Return a control event with numbers for names.

    Raises:
        NotInCatalogueError: with the path of a member outside the catalogue; only of a pin.
    """
    slots: Sequence[int] = ()
    facets: Sequence[int] = ()
    if isinstance(event, Consent):
        kind = Kind.GRANT if event.granted else Kind.DENY
        slots = sorted({SCOPES.index(scope) for scope in event.scope or SCOPES})
    elif isinstance(event, Pin):
        kind = Kind.PIN
        facets = (_index(catalogue.facet_index, event.facet, "facet"),)
        if event.value is not None:
            slots = (_index(catalogue.slot_index[event.facet], event.value, "value"),)
    else:
        kind = Kind.FORGET
        facets = _forgotten_facets(event.facets, catalogue)
    return Observation(
        user, event.at, kind, _content_hash(event), 0, NONE, NONE, 0, NONE,
        slots, facets, (), pack_origin(record.origin), record.position, sha256(record.value).digest(),
        record.timestamp_ms, is_foreign,
    )  # fmt: skip


def _forgotten_facets(names: Sequence[str] | None, catalogue: NumberedCatalogue) -> Sequence[int]:
    """Return the facets to forget; empty, for everything, if a name is unclear."""
    index = catalogue.facet_index
    return sorted({index[name] for name in names}) if names and index.keys() >= set(names) else ()


def _content_hash(event: ControlEvent) -> int:
    """Return 64 bits by which a repeat of a user's control event is recognized.

    The state keeps them, so they do not depend on the user id: a holder of a state folder could test ids by them.
    """
    return int.from_bytes(blake2b(_content(replace(event, user_id="")), digest_size=8).digest(), "big")


_content = msgspec.json.Encoder(order="sorted").encode


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


def _acted_slots(acted_on: Sequence[ActedOn], catalogue: NumberedCatalogue, path: str) -> list[tuple[int, float, int]]:
    """Return slot, propensity and slot of the runner-up."""
    found = []
    for acted in acted_on:
        slots, runner_up = catalogue.slot_index.get(acted.facet, {}), acted.runner_up
        other = NONE if runner_up is None else _index(slots, runner_up, path)
        found.append((_index(slots, acted.value, path), acted.propensity, other))
    return found
