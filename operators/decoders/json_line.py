"""JSON → the members of an interaction, of which small objects stay bytes: the fast path of decoding.

A line is read in a sixth of the time of a whole decoding. Its ids, names and objects are not checked here: a reader of
a line compares them with known ones, or checks them alone.
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from tacit.contract.events import Propensity, TimeMs

MAX_LINE_BYTES = 4_096
"""Longer records take the slow path. In a shorter one, no number has more digits than Python reads (4,300)."""

_MAX_OPENINGS = 200
"""Most objects and lists of a line of over `_SHALLOW_BYTES`."""

_SHALLOW_BYTES = 600
"""Shorter records cannot be nested too deeply for any reader of JSON."""


class Acted(Struct, forbid_unknown_fields=True, gc=False):
    """Entry of `acted_on` or `proposed`, with unchecked names."""

    facet: str
    value: str
    version: str | None
    propensity: Propensity
    runner_up: str | None = None


ABSENT = Raw()
"""Bytes of an absent object."""


class Line(Struct, forbid_unknown_fields=True, gc=False):
    """Members of an interaction, in the order of events."""

    type: Literal["interaction"]
    schema: Literal[1]
    event_id: str
    user_id: str
    at: TimeMs
    region: str
    turn_id: str | None = None
    surface: str | None = None
    topic: str | None = None
    locale: str | None = None
    served: Raw = ABSENT
    item: str | None = None
    feedback: Raw = ABSENT
    acted_on: list[Acted] | None = None
    proposed: list[Acted] | None = None


class NotALineError(ValueError):
    """The record is no interaction, or not in the usual form."""


class _User(Struct, gc=False):
    user_id: str


_decode_line = msgspec.json.Decoder(Line).decode
_decode_user = msgspec.json.Decoder(_User).decode


def read_line(data: bytes) -> Line:
    """Return the members of a record; of a repeated member the last counts.

    Raw bytes are not decoded, and those of a repeated member are dropped. So UTF-8, depth and numbers are bounded here:
    then every reader of JSON reads the dropped bytes, too.

    Raises:
        NotALineError, msgspec.MsgspecError, UnicodeDecodeError: the record takes the slow path.
    """
    if len(data) > _SHALLOW_BYTES and (
        len(data) > MAX_LINE_BYTES or data.count(b"[") + data.count(b"{") > _MAX_OPENINGS
    ):
        raise NotALineError
    if not data.isascii():
        data.decode()
    return _decode_line(data)


def read_user_id(data: bytes) -> str:
    """Return the user id of a record that may be invalid otherwise; of a valid event it is the event's.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: the record takes the slow path.
    """
    return _decode_user(data).user_id
