"""What the simulator makes: events of the contract, and what each was made as."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from state.events.records import Reason

Event = dict[str, object]
"""An event as JSON has it."""

encode = msgspec.json.Encoder().encode


class Kind(StrEnum):
    """What a good event is; what is broken goes by its `Reason`."""

    TURN = "turn"
    FEEDBACK = "feedback"
    """The second event of a turn."""
    CONSENT = "consent"
    PIN = "pin"
    FORGET = "forget"
    DUPLICATE = "duplicate"
    """The same bytes once more."""


class Made(NamedTuple):
    """A good event, when it happens."""

    at_ms: int
    kind: Kind
    event: Event


class Arrival(NamedTuple):
    """A record when it arrives; `number` makes the order of those that arrive together."""

    at_ms: int
    number: int
    made_as: Kind | Reason
    line: bytes
