"""Events for tests of the ledger and of its users."""

from itertools import count
from typing import Any

import msgspec

from tacit.contract import events as contract
from tests.chaos.account import Account
from tests.support.factories import START_MS, make_event

Event = dict[str, Any]

_numbers = count()


def turn(after_ms: int, **fields: Any) -> Event:
    """Return an interaction with a new id, `after_ms` after the start."""
    return make_event(**{"event_id": f"n-{next(_numbers)}", "at": START_MS + after_ms} | fields)


def consent(after_ms: int, granted: bool = True, **fields: Any) -> Event:
    """Return a consent event."""
    return turn(after_ms, type="consent", granted=granted, **fields)


def pin(after_ms: int, value: str | None, **fields: Any) -> Event:
    """Return a pin, or with None an unpin, of the length of answers."""
    return turn(after_ms, type="pin", facet="length", value=value, **fields)


def account(*events: Event) -> Account:
    """Return the account of the events of one user."""
    entered = Account()
    for event in events:
        entered.take(msgspec.convert(event, contract.Event))
    return entered
