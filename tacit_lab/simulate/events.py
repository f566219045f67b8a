"""Simulated events and records, each with its kind or its fault."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from state.events.records import Reason

Event = dict[str, object]
"""An event as a JSON object."""

encode = msgspec.json.Encoder().encode


class Kind(StrEnum):
    """Kind of a valid event; a broken record has a `Reason` instead."""

    TURN = "turn"
    FEEDBACK = "feedback"
    """The second event of a turn."""
    CONSENT = "consent"
    PIN = "pin"
    FORGET = "forget"
    DUPLICATE = "duplicate"
    """The bytes of an earlier record."""


class SimulatedEvent(NamedTuple):
    """A valid event and its event time."""

    at_ms: int
    kind: Kind
    event: Event


class Arrival(NamedTuple):
    """A record and its time of arrival; `number` orders records with the same time."""

    at_ms: int
    number: int
    made_as: Kind | Reason
    line: bytes
