"""Contents of Redis for each user, and the moments of the ledger that can have emitted them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import redis

from tests.chaos.account import DENIED, Account

NAMESPACE = "chaos"
PROFILE, STATUS, WIPED = "_profile", "_status", "_epoch"

Field = Mapping[str, Any]


class Shown(NamedTuple):
    """Contents of Redis for one user."""

    gate: str | None
    fields: Mapping[str, Field]


def shown_of(client: redis.Redis, users: Iterable[str]) -> dict[str, Shown]:
    """Return the contents of Redis for users.

    The fields of one user come from one moment, at or after the moment of the gate.
    """
    names = list(users)
    with client.pipeline(transaction=False) as pipeline:  # without memory Redis refuses transactions
        for user in names:
            pipeline.get(f"tacit:v1:eu:{{{user}}}:gate")
            pipeline.hgetall(f"tacit:v1:eu:{NAMESPACE}:{{{user}}}:signals")
        replies = pipeline.execute()
    return {
        user: Shown(gate, {name: json.loads(value) for name, value in fields.items()})
        for user, gate, fields in zip(names, replies[::2], replies[1::2], strict=True)
    }


def places_of(account: Account, name: str, field: Field, *, again: bool) -> list[int]:
    """Return the indexes of the moments that can have emitted a field; none: the field is wrong.

    With `again`, a rebuild may have emitted a field again at a later moment.
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
        return [place for place in places if _emits_profile(account, place, field, again)]
    return [place for place in places if field["source"] == "learned" and account.moments[place].consent != DENIED]


def _emits_profile(account: Account, place: int, field: Field, again: bool) -> bool:
    return (again or account.moments[place].emits_profile) and field["activity"] == account.windows(place)
