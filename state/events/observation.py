"""An observation: an event resolved against the catalogue, with numbers for names and a pseudonym for the user."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec


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


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One event of one user, by the catalogue's numbers.

    A member that the state does not use (raw ids, `locale`) is checked by the contract and not carried.
    """

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
