"""Resolution: the names of an event → numbers of the catalogue. Each member is resolved alone.

`resolve` takes a whole interaction, `operators.plain_interactions` the members of one.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from zlib import crc32

import msgspec
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Kind, NotInCatalogueError, Observation, TooManyValuesError
from tacit.contract.events import ActedOn, Consent, ControlEvent, Feedback, Interaction, Pin, Served
from tacit.contract.gates import SCOPES

Acted = tuple[tuple[int, float, int], ...]
"""Slot, propensity and slot of the runner-up of each followed signal."""


def resolve(event: Interaction, user: bytes, catalogue: NumberedCatalogue) -> Observation:
    """Return an interaction with numbers for names.

    Raises:
        NotInCatalogueError: with the path of a member outside the catalogue.
        TooManyValuesError: with the path of the facet.
    """
    return Observation(
        user,
        event.at,
        Kind.INTERACTION,
        name_hash(event.event_id),
        0 if event.turn_id is None else name_hash(event.turn_id),
        NONE if event.topic is None else _index(catalogue.topic_index, event.topic, "topic"),
        NONE if event.surface is None else _index(catalogue.surface_index, event.surface, "surface"),
        0 if event.item is None else name_hash(event.item),
        NONE if event.feedback is None else _index(catalogue.feedback_index, event.feedback.kind, "feedback.kind"),
        served_slots(event.served, catalogue),
        feedback_facets(event.feedback, catalogue),
        acted_slots(event.acted_on, catalogue, "acted_on.*"),
        0,
        False,
        proposed_slots(event.proposed, catalogue),
    )


def resolve_control(
    event: ControlEvent, user: bytes, record_ms: int, catalogue: NumberedCatalogue, *, is_foreign: bool
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
        slots, facets, (), record_ms, is_foreign,
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


def name_hash(name: str) -> int:
    """Return 32 bits for an id; 0 means none."""
    return crc32(name.encode()) or 1


def _index(names: Mapping[str, int], name: str, path: str) -> int:
    try:
        return names[name]
    except KeyError:
        raise NotInCatalogueError(path) from None


def served_slots(served: Served | None, catalogue: NumberedCatalogue) -> tuple[int, ...]:
    """Return the slots of served values, ascending."""
    if not served:
        return ()
    index = catalogue.slot_index
    try:
        return tuple(sorted([index[facet][value] for facet, value in served.items()]))  # type: ignore[index]
    except (KeyError, TypeError):  # a list of values, or a name outside the catalogue
        slots = {slot for facet, values in served.items() for slot in _facet_slots(facet, values, catalogue)}
        return tuple(sorted(slots))


def _facet_slots(facet: str, values: str | list[str], catalogue: NumberedCatalogue) -> list[int]:
    index = catalogue.slot_index.get(facet)
    names = [values] if isinstance(values, str) else values
    if index is None or not index.keys() >= set(names):
        raise NotInCatalogueError(f"served.{'*' if index is None else facet}")
    if len(names) > 1 and not catalogue.facets[facet].multiple:
        raise TooManyValuesError(f"served.{facet}")
    return [index[name] for name in names]


def feedback_facets(feedback: Feedback | None, catalogue: NumberedCatalogue) -> tuple[int, ...]:
    """Return the facets that feedback is narrowed to; empty for all."""
    if feedback is None or feedback.facets is None:
        return ()
    return tuple([_index(catalogue.facet_index, name, "feedback.facets.*") for name in feedback.facets])


def acted_slots(acted_on: Sequence[ActedOn] | None, catalogue: NumberedCatalogue, path: str) -> Acted:
    """Return slot, propensity and slot of the runner-up of each signal."""
    found = []
    for acted in acted_on or ():
        slots, runner_up = catalogue.slot_index.get(acted.facet, {}), acted.runner_up
        other = NONE if runner_up is None else _index(slots, runner_up, path)
        found.append((_index(slots, acted.value, path), acted.propensity, other))
    return tuple(found)


def proposed_slots(proposed: Sequence[ActedOn] | None, catalogue: NumberedCatalogue) -> tuple[int, ...]:
    """Return the slots of proposed values."""
    return tuple([slot for slot, _, _ in acted_slots(proposed, catalogue, "proposed.*")])
