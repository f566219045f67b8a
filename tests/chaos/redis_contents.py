"""What Redis holds of people, and which moments of the ledger can have said it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import redis

from tests.chaos.account import DENIED, Account, Moment

NAMESPACE = "chaos"
PROFILE, STATUS, WIPED = "_profile", "_status", "_epoch"

Field = Mapping[str, Any]


class Shown(NamedTuple):
    """One person in Redis."""

    gate: str | None
    fields: Mapping[str, Field]


def shown_of(client: redis.Redis, people: Iterable[str]) -> dict[str, Shown]:
    """Return what Redis holds of people; the fields of one person are of one moment, which is not before the gate's."""
    names = list(people)
    with client.pipeline(transaction=False) as pipeline:  # without memory Redis refuses transactions
        for person in names:
            pipeline.get(f"tacit:v1:eu:{{{person}}}:gate")
            pipeline.hgetall(f"tacit:v1:eu:{NAMESPACE}:{{{person}}}:signals")
        replies = pipeline.execute()
    return {
        person: Shown(gate, {name: json.loads(value) for name, value in fields.items()})
        for person, gate, fields in zip(names, replies[::2], replies[1::2], strict=True)
    }


def places_of(account: Account, name: str, field: Field, *, again: bool) -> list[int]:
    """Return the moments, by their places in the account, that can have said a field; none: it must not be there.

    With `again`, anything may have been said again at a later moment at which it still held, as a rebuild does.
    """
    if name == STATUS:
        return [
            place
            for place, moment in enumerate(account.moments)
            if moment.consent == DENIED and field["v"] == f"{moment.consent_at_ms:013d}-{0:010d}"
        ]
    if name == WIPED:
        return [
            place
            for place, moment in enumerate(account.moments)
            if moment.consent != DENIED and field["v"] == f"{moment.wiped_ms:013d}-{0:010d}"
        ]
    places = account.places.get(field["v"], [])
    if name == PROFILE:
        return [place for place in places if _says_profile(account, place, field, again)]
    return [place for place in places if _says(account.moments[place], name, field, again)]


def _says_profile(account: Account, place: int, field: Field, again: bool) -> bool:
    return (again or account.moments[place].says_profile) and field["activity"] == account.windows(place)


def _says(moment: Moment, name: str, field: Field, again: bool) -> bool:
    if moment.consent == DENIED:
        return False
    if field["source"] == "user":
        return field["value"] == moment.pinned(name) and (again or name in moment.says_pins)
    return moment.pinned(name) is None
