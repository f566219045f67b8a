"""Events: the records that producers write and workers read (contract, version 1).

`tacit.contract.schemas` derives the published JSON Schema from these types.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tacit.contract.gates import Scope
from tacit.contract.keys import REGION

MAX_AT_MS = 9_999_999_999_999
"""Newest time of an event: times have at most 13 digits, so that versions sort as text (year 2286)."""

MIN_AT_MS = 946_684_800_000
"""Oldest time of an event: the year 2000. An older time was meant as seconds, or as no time at all."""

MAX_EVENT_BYTES = 16 * 1024
"""Largest size of an encoded event."""

END = r"\Z"
"""End of a pattern: in Python `$` also matches before a trailing newline. Published schemas (ECMA-262) have `$`."""


def _matching(pattern: str, max_length: int | None = None) -> Meta:
    return Meta(pattern=f"^{pattern}{END}", max_length=max_length)


Id = Annotated[str, _matching("[A-Za-z0-9_.:-]{1,64}")]
UserId = Annotated[str, _matching(r"[^\x00-\x1f\x7f-\x9f]+", max_length=128)]
TimeMs = Annotated[int, Meta(ge=MIN_AT_MS, le=MAX_AT_MS)]
Region = Annotated[str, _matching(REGION)]
Locale = Annotated[str, _matching("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", max_length=35)]
Version = Annotated[str, _matching("[0-9]{13}-[0-9]{10}")]
Name = Annotated[str, Meta(min_length=1, max_length=40)]
Names = Annotated[list[Name], Meta(min_length=1, max_length=64)]
Served = Annotated[dict[Name, Name | Names], Meta(max_length=64)]
Propensity = Annotated[float, Meta(ge=0, le=1)]


class _Members(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """Members of a JSON object; an unknown member is an error."""


class Feedback(_Members, frozen=True):
    """The user's reaction to an answer; `facets` narrows it to some facets."""

    kind: Name
    facets: Names | None = None


class ActedOn(_Members, frozen=True):
    """A signal that the answer followed, and the probability (0–1) of that choice."""

    facet: Name
    value: Name
    version: Version | None
    propensity: Propensity
    runner_up: Name | None = None
    """Second best value in this choice; with the propensity it implies the propensity of every other value."""


class _Event(_Members, frozen=True, tag_field="type", tag=str.lower):
    schema: Literal[1]
    event_id: Id
    user_id: UserId
    at: TimeMs
    region: Region


class Interaction(_Event, frozen=True):
    """One answer and the user's feedback."""

    turn_id: Id | None = None
    surface: Name | None = None
    topic: Name | None = None
    locale: Locale | None = None
    served: Served | None = None
    item: Id | None = None
    feedback: Feedback | None = None
    acted_on: Annotated[list[ActedOn], Meta(max_length=64)] | None = None
    proposed: Annotated[list[ActedOn], Meta(max_length=64)] | None = None
    """Signals that the answer would have followed, of a deployment in apprentice mode."""


class Consent(_Event, frozen=True):
    """Consent, granted or withdrawn."""

    granted: bool
    scope: Annotated[list[Scope], Meta(min_length=1, max_length=3)] | None = None
    """Scopes of the choice; None: all."""


class Pin(_Event, frozen=True):
    """The user's own setting of a facet; None removes the setting."""

    facet: Name
    value: Name | None


class Forget(_Event, frozen=True):
    """A request to delete the learned state and the pins of a user, or of some facets of the user."""

    facets: Names | None = None
    """Facets to forget; None: everything."""


ControlEvent = Consent | Pin | Forget
Event = Interaction | ControlEvent

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def decode_event(data: bytes) -> Event:
    """Return the event in a JSON document.

    Raises:
        msgspec.ValidationError: a member breaks its rule.
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: the document is not JSON.
    """
    return _decoder.decode(data)


def encode_event(event: Event) -> bytes:
    """Return the event as JSON, checked against the contract.

    Raises:
        msgspec.ValidationError: a member breaks its rule, or the JSON exceeds `MAX_EVENT_BYTES`.

    >>> encode_event(Forget(schema=1, event_id="e-1", user_id="ada", at=1795297433438, region="eu"))
    b'{"type":"forget","schema":1,"event_id":"e-1","user_id":"ada","at":1795297433438,"region":"eu"}'
    """
    data = _encoder.encode(event)
    if len(data) > MAX_EVENT_BYTES:
        raise msgspec.ValidationError(f"Expected at most {MAX_EVENT_BYTES} bytes of JSON, got {len(data)}")
    decode_event(data)
    return data
