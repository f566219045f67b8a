"""Input formats. The setting `format` names a module here, such as `json`, that defines `decode`."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, cast

from state.events.records import Reason
from tacit.contract.events import Event


class Undecodable(NamedTuple):
    """The reject reason of a record that is not an event."""

    reason: Reason
    detail: str
    """`path: rule`. Of the record's content, only member names of the contract may appear."""


Decode = Callable[[bytes], Event | Undecodable]
"""Function: bytes of a record → a valid event, or a reject reason. A decoder never raises."""


def decoder(name: str) -> Decode:
    """Return the decoder of a format.

    >>> decoder("json")(b"[")
    Undecodable(reason=<Reason.NOT_JSON: 'not_json'>, detail='malformed JSON')
    """
    return cast("Decode", import_module(f"{__name__}.{name}").decode)
