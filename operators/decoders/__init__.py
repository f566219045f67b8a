"""Input formats, one module each: `operators/decoders/NAME.py` defines `decode`, and the setting `format` names it."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, cast

from state.events.records import Reason
from tacit.contract.events import Event


class Undecodable(NamedTuple):
    """The reject reason of a record that is not an event."""

    reason: Reason
    detail: str
    """`path: rule`, without anything that the record contains but member names of the contract."""


Decode = Callable[[bytes], Event | Undecodable]
"""One record's bytes → an event that keeps the contract, or a reject reason. It never raises."""


def decoder(name: str) -> Decode:
    """Return the decoder of a format.

    >>> decoder("json")(b"[")
    Undecodable(reason=<Reason.NOT_JSON: 'not_json'>, detail='malformed JSON')
    """
    return cast("Decode", import_module(f"{__name__}.{name}").decode)
