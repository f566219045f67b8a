"""Events for tests of the ledger and of those who judge by it."""

from itertools import count
from typing import Any

import msgspec

from tacit.contract import events as contract
from tests.chaos.account import Account
from tests.support.factories import START_MS, make_event

Event = dict[str, Any]

_numbers = count()


def turn(after_ms: int, **fields: Any) -> Event:
    """Return an interaction so long after the start, with an id of its own."""
    return make_event(**{"event_id": f"n-{next(_numbers)}", "at": START_MS + after_ms} | fields)


def consent(after_ms: int, granted: bool = True, **fields: Any) -> Event:
    """Return a word on consent."""
    return turn(after_ms, type="consent", granted=granted, **fields)


def pin(after_ms: int, value: str | None, **fields: Any) -> Event:
    """Return a setting of the length of answers, or the taking back of one."""
    return turn(after_ms, type="pin", facet="length", value=value, **fields)


def account(*events: Event) -> Account:
    """Return the account of a person's events."""
    entered = Account()
    for event in events:
        entered.take(msgspec.convert(event, contract.Event))
    return entered
