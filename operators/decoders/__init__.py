"""Input formats. The setting `format` names a module here, such as `json`, that defines `make_format`."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, cast

from operators.decoders.json_line import Line
from state.events.records import Reason
from state.events.registered_schema import LookUp
from tacit.contract.events import ControlEvent, Event


class Undecodable(NamedTuple):
    """The reject reason of a record that is not an event."""

    reason: Reason
    detail: str
    """`path: rule`. Of the record's content, only member names of the contract may appear."""
    control: str = ""
    """Type of a control event that cannot be carried out; empty for any other record."""


class UndecodableError(ValueError):
    """A record that a fast function does not read."""

    def __init__(self, reject: Undecodable) -> None:
        super().__init__(reject.detail)
        self.reject = reject


class Repaired(NamedTuple):
    """A control event that breaks the contract and is carried out in the restrictive direction."""

    event: ControlEvent
    """An unreadable `at` is 0; an unreadable `event_id` or `region` is empty."""
    members: tuple[str, ...]
    """Names of the members that were ignored, replaced or added; `unknown` for any name outside the contract."""


Decode = Callable[[bytes], Event | Repaired | Undecodable]
"""Function: bytes of a record → a valid event, a repaired one, or a reject reason. A decoder rejects bad bytes.

Only a registry that stays away, and does not answer in time, raises an error.
"""


class Format(NamedTuple):
    """Functions that read the records of a format. Both fast ones raise an error where only `decode` decides."""

    decode: Decode
    read_user_id: Callable[[bytes], str] | None = None
    """Fast: the user id alone, that of the event which `decode` returns."""
    read_line: Callable[[bytes], Line] | None = None
    """Fast: the members of an interaction."""


def input_format(name: str, look_up: LookUp | None = None) -> Format:
    """Return a format.

    Args:
        name: name of a module here.
        look_up: finds schemas by id; formats without a schema registry need none.

    Raises:
        ConfigurationError: a package that the format needs is missing.

    >>> input_format("json").decode(b"[")
    Undecodable(reason=<Reason.NOT_JSON: 'not_json'>, detail='malformed JSON', control='')
    """
    return cast("Format", import_module(f"{__name__}.{name}").make_format(look_up))
