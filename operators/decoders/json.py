"""JSON → events. A single pass of msgspec decodes and checks; a second pass explains a reject."""

import json
from typing import Any

from msgspec import MsgspecError, ValidationError, convert

from operators.decoders import Format, Repaired, Undecodable
from operators.decoders.broken_rules import broken_rule
from operators.decoders.control import DECISIVE, read_control
from operators.decoders.envelope import open_envelope
from operators.decoders.json_line import read_line, read_user_id
from state.events.records import Reason
from state.events.registered_schema import LookUp
from tacit.contract.events import MAX_EVENT_BYTES, Consent, Event, Forget, decode_event

MAX_DEPTH = 200
"""Deepest nesting of a document. A fixed limit: Python's own depends on the depth of the caller."""

TOO_LARGE = Undecodable(Reason.TOO_LARGE, f"over {MAX_EVENT_BYTES} bytes")
_NOT_JSON = Undecodable(Reason.NOT_JSON, "malformed JSON")
NOT_AN_EVENT = (MsgspecError, UnicodeDecodeError, RecursionError)
_UNKNOWN_SCHEMA = Undecodable(Reason.UNKNOWN_SCHEMA, "schema: only 1 is known")


def decode(data: bytes) -> Event | Repaired | Undecodable:
    """Return the event in a JSON document, or in an envelope of CloudEvents, or a reject reason."""
    if len(data) <= MAX_EVENT_BYTES:
        try:
            event = decode_event(data)
        except NOT_AN_EVENT as error:
            inner = open_envelope(data)
            return decode_document(inner) if inner is not None else _repaired(data, error)
        return _checked(event, data)
    return read_control(open_envelope(data) or data) or TOO_LARGE


def decode_document(data: bytes) -> Event | Repaired | Undecodable:
    """Return the event in a JSON document of any size, or a reject reason; an envelope is not opened."""
    try:
        event = decode_event(data)
    except NOT_AN_EVENT as error:
        return _repaired(data, error)
    return _checked(event, data)


def _checked(event: Event, data: bytes) -> Event | Repaired | Undecodable:
    if isinstance(event, Consent | Forget) and _may_repeat(data):
        return read_control(data) or event
    return event


def _repaired(data: bytes, error: Exception) -> Event | Repaired | Undecodable:
    return read_control(data) or _event_of_last_members(data) or _explain(data, error)


def _may_repeat(data: bytes) -> bool:
    """Return whether a decisive member of a control event may be repeated; escapes can hide its name."""
    return b"\\" in data or any(data.count(b'"%s"' % name.encode()) > 1 for name in DECISIVE)


def _event_of_last_members(data: bytes) -> Event | None:
    """Return the event of a document that repeats members, where the last of each counts; None if it is invalid.

    msgspec rejects a document for any of the repeated members. RFC 8259 leaves the choice open, and most parsers take
    the last.
    """
    repeats = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeats
        found = dict(pairs)
        repeats |= len(found) < len(pairs)
        return found

    try:
        document = json.loads(data.decode(), object_pairs_hook=members, parse_constant=_no_number)
        return convert(document, Event) if repeats else None
    except (ValueError, RecursionError, ValidationError):
        return None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _explain(data: bytes, error: Exception) -> Undecodable:
    """Return the reason. Syntax comes first, then the schema's version, then the broken rule that `error` names."""
    try:
        document = _document(data)
    except (ValueError, RecursionError):
        return _NOT_JSON
    if isinstance(document, dict) and not _is_one(document.get("schema", 1)):
        return _UNKNOWN_SCHEMA
    if isinstance(error, ValidationError):
        return Undecodable(Reason.INVALID, broken_rule(error))
    return Undecodable(Reason.INVALID, "event: NaN, Infinity or a lone surrogate")


def _is_one(schema: Any) -> bool:
    return type(schema) is int and schema == 1


def _document(data: bytes) -> Any:
    """Return any JSON document, NaN and Infinity included.

    Raises:
        ValueError: invalid UTF-8 or syntax, a lone surrogate, an integer of over 4,300 digits, or too deep nesting.
    """
    document = json.loads(data.decode())
    json.dumps(document, ensure_ascii=False).encode()  # raises for a lone surrogate
    if _is_deeper(document, MAX_DEPTH):
        raise ValueError("nested too deeply")
    return document


def _is_deeper(document: Any, depth: int) -> bool:
    level = [document]
    for _ in range(depth + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


FORMAT = Format(decode, read_user_id, read_line)


def make_format(_: LookUp | None = None) -> Format:
    """Return the format, which needs no schemas."""
    return FORMAT
