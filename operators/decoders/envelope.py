"""CloudEvents 1.0 in structured JSON: an envelope with an event in its member `data` or `data_base64`.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

In binary mode the value of the Kafka record is the event itself, and the headers are not read.
"""

import re
from base64 import b64decode
from binascii import Error

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from tacit.contract.events import Id

_MARK = b'"specversion"'
_DATA = re.compile(rb'"data(?:_base64)?"\s*:')


class _Envelope(Struct, gc=False):
    """An envelope has no user id: the member of an event with that name decides the user's shard."""

    specversion: str
    id: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    data_base64: str | UnsetType = UNSET
    user_id: Raw | UnsetType = UNSET


class _Identified(Struct, gc=False):
    event_id: Raw | UnsetType = UNSET


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_id = msgspec.json.Decoder(Id).decode
_decode_identified = msgspec.json.Decoder(_Identified).decode


def open_envelope(document: bytes) -> bytes | None:
    """Return the event in an envelope; None for any other document, and for one with two members of data.

    An event without an `event_id` gets the id of the envelope, if that is a valid one.

    >>> open_envelope(b'{"specversion":"1.0","id":"e-1","data":{"type":"forget"}}')
    b'{"event_id":"e-1","type":"forget"}'
    """
    if _MARK not in document or len(_DATA.findall(document)) > 1:
        return None
    try:
        envelope = _decode_envelope(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    event = _data(envelope)
    if event is None or envelope.user_id is not UNSET:
        return None
    return _identified(event, envelope.id)


def _data(envelope: _Envelope) -> bytes | None:
    if envelope.data is not UNSET:
        return bytes(envelope.data).strip()
    if envelope.data_base64 is UNSET:
        return None
    try:
        return b64decode(envelope.data_base64, validate=True).strip()
    except (Error, ValueError):
        return None


def _identified(event: bytes, envelope_id: Raw | UnsetType) -> bytes:
    """Return the event with the id of the envelope if it lacks its own; its other bytes stay as they are."""
    if envelope_id is UNSET or not event.startswith(b"{"):
        return event
    try:
        if _decode_identified(event).event_id is not UNSET:
            return event
        _decode_id(bytes(envelope_id))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return event
    rest = event[1:].lstrip()
    return b'{"event_id":%s%s%s' % (bytes(envelope_id).strip(), b"" if rest == b"}" else b",", rest)
