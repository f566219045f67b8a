"""Input formats. The setting `format` names a module here, such as `json`, that defines `FORMAT`."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, cast

from operators.decoders.json_line import Line
from state.events.records import Reason
from tacit.contract.events import ControlEvent, Event


class Undecodable(NamedTuple):
    """The reject reason of a record that is not an event."""

    reason: Reason
    detail: str
    """`path: rule`. Of the record's content, only member names of the contract may appear."""
    control: str = ""
    """Type of a control event that cannot be carried out; empty for any other record."""


class Repaired(NamedTuple):
    """A control event that breaks the contract and is carried out in the restrictive direction."""

    event: ControlEvent
    """An unreadable `at` is 0; an unreadable `event_id` or `region` is empty."""
    members: tuple[str, ...]
    """Names of the members that were ignored, replaced or added; `unknown` for any name outside the contract."""


Decode = Callable[[bytes], Event | Repaired | Undecodable]
"""Function: bytes of a record → a valid event, a repaired one, or a reject reason. A decoder never raises."""


class Format(NamedTuple):
    """Functions that read the records of a format. Both fast ones raise an error where only `decode` decides."""

    decode: Decode
    read_user_id: Callable[[bytes], str] | None = None
    """Fast: the user id alone, that of the event which `decode` returns."""
    read_line: Callable[[bytes], Line] | None = None
    """Fast: the members of an interaction."""


def input_format(name: str) -> Format:
    """Return a format.

    >>> input_format("json").decode(b"[")
    Undecodable(reason=<Reason.NOT_JSON: 'not_json'>, detail='malformed JSON', control='')
    """
    return cast("Format", import_module(f"{__name__}.{name}").FORMAT)
