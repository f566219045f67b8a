"""Control events that break the contract, read as far as they are clear.

A control event is recognized by `type` and `user_id` alone. Everything that is unclear is decided in the restrictive
direction: a consent that is not plainly a "yes" is a "no", and a forget with unclear facets forgets everything. A
"yes" and a pin need all members that they are made of; without them they are rejected.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from operators.decoders import Repaired, Undecodable
from state.events.records import Reason
from tacit.contract.events import (
    MAX_EVENT_BYTES,
    Consent,
    ControlEvent,
    Forget,
    Id,
    Name,
    Pin,
    Region,
    TimeMs,
    UserId,
)
from tacit.contract.gates import SCOPES

UNKNOWN_MEMBER = "unknown"
"""Name of all members outside the contract in counts."""

DECISIVE = ("granted", "scope", "facets")
"""Members that make a control event more or less restrictive."""

_MAX_DIGITS = 20
CONTROLS = {
    "consent": frozenset({"type", *Consent.__struct_fields__}),
    "pin": frozenset({"type", *Pin.__struct_fields__}),
    "forget": frozenset({"type", *Forget.__struct_fields__}),
}
"""Members of each control event."""

_LOOKS_LIKE = re.compile(rb'"type"\s*:\s*"\s*(consent|pin|forget)\s*"', re.IGNORECASE)
_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-f])", re.IGNORECASE)
"""Escapes of ASCII characters, which members and types may be written with."""


def control_type(data: bytes) -> str:
    """Return the type of the control event that a document seems to be; empty for any other document."""
    if b"\\u00" in data:
        data = _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), data)
    found = _LOOKS_LIKE.search(data)
    return found[1].decode().lower() if found else ""


def read_control(data: bytes) -> Repaired | Undecodable | None:
    """Return the control event in a document that is no valid event; None for any other document.

    Of a repeated member the last counts; repeated `DECISIVE` members are unclear, unless they are the same constant.
    """
    kind = control_type(data)
    if not kind:
        return None
    try:
        text = data.decode("utf-8-sig", "surrogateescape")
        document = json.loads(text, object_pairs_hook=_members, parse_int=_number)
    except (ValueError, RecursionError):
        if len(data) > MAX_EVENT_BYTES:
            return Undecodable(Reason.TOO_LARGE, f"over {MAX_EVENT_BYTES} bytes", kind)
        return Undecodable(Reason.NOT_JSON, "malformed JSON", kind)
    if not isinstance(document, dict):
        return Undecodable(Reason.INVALID, "event: not an object", kind)
    named = document.get("type")
    if named == "interaction":
        return None
    named = named.strip().lower() if isinstance(named, str) else ""
    if named not in CONTROLS:
        return Undecodable(Reason.INVALID, "type: not consent, pin or forget, but of a member inside", kind)
    kind = named
    if not _is(document.get("user_id"), UserId):
        return Undecodable(Reason.INVALID, "user_id: not a user id", kind)
    return _Reading(kind, document).read()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        for name, value in pairs:
            if name in DECISIVE and value is not members[name]:
                members[name] = False
    return members


def _number(text: str) -> int:
    """Return a number, and 0 for one of more digits than any member has; Python refuses 4,300 of them."""
    return int(text) if len(text) <= _MAX_DIGITS else 0


def _is(value: object, kind: Any) -> bool:
    """Return whether a value follows a type of the contract."""
    try:
        msgspec.convert(value, kind, strict=True)
        if isinstance(value, str):
            value.encode()
    except (msgspec.ValidationError, UnicodeEncodeError):
        return False
    return True


class _Reading:
    """One document of a known type, read member by member."""

    def __init__(self, kind: str, document: Mapping[str, Any]) -> None:
        self._kind = kind
        self._document = document
        known = CONTROLS[kind]
        self._repaired = [UNKNOWN_MEMBER] if document.keys() - known else []
        if document["type"] != kind:
            self._repaired.append("type")

    def read(self) -> Repaired | Undecodable:
        """Return the event."""
        if self._kind == "forget":
            return self._repair(Forget(**self._common(), facets=self._facets()))
        if self._kind == "pin":
            return self._pin()
        return self._consent()

    def _repair(self, event: ControlEvent) -> Repaired:
        return Repaired(event, tuple(self._repaired))

    def _unclear(self, member: str, rule: str) -> Undecodable:
        return Undecodable(Reason.INVALID, f"{member}: {rule}", self._kind)

    def _common(self) -> dict[str, Any]:
        """Return the members of every event; unreadable ones are empty, and 1 or 0."""
        found = {"user_id": self._document["user_id"], "schema": 1}
        if not _is_one(self._document.get("schema")):
            self._repaired.append("schema")
        for member, kind, missing in (("event_id", Id, ""), ("at", TimeMs, 0), ("region", Region, "")):
            value = self._document.get(member)
            is_readable = _is(value, kind)
            found[member] = value if is_readable else missing
            if not is_readable:
                self._repaired.append(member)
        return found

    def _consent(self) -> Repaired | Undecodable:
        common, granted = self._common(), self._document.get("granted") is True
        scope = self._document.get("scope")
        is_scope = isinstance(scope, list) and bool(scope) and all(name in SCOPES for name in scope)
        if granted:
            if problem := self._first_unread("schema", "at", "region"):
                return self._unclear(problem, _RULES[problem])
            if (scope is not None and not is_scope) or self._has_misspelled_scope():
                return self._unclear("scope", f"expected any of {', '.join(SCOPES)}")
        else:
            if self._document.get("granted") is not False:
                self._repaired.append("granted")
            if scope is not None and not is_scope:
                self._repaired.append("scope")
        return self._repair(Consent(**common, granted=granted, scope=scope if is_scope else None))

    def _has_misspelled_scope(self) -> bool:
        """Return whether an unknown member may be a scope, without which a yes would be wider than the user's."""
        return any(name != "scope" and name.strip().lower().startswith("scope") for name in self._document)

    def _pin(self) -> Repaired | Undecodable:
        common, facet, value = self._common(), self._document.get("facet"), self._document.get("value")
        if not isinstance(facet, str) or not _is(facet, Name):
            return self._unclear("facet", "not a facet")
        if "value" not in self._document or (value is not None and not _is(value, Name)):
            return self._unclear("value", "neither a value nor null")
        if problem := self._first_unread(*(("schema", "at", "region") if value is None else ("region",))):
            return self._unclear(problem, _RULES[problem])
        return self._repair(Pin(**common, facet=facet, value=value))

    def _facets(self) -> list[str] | None:
        facets = self._document.get("facets")
        if facets is None:
            return None
        if isinstance(facets, list) and facets and all(_is(name, Name) for name in facets):
            return facets
        self._repaired.append("facets")
        return None

    def _first_unread(self, *members: str) -> str | None:
        return next((member for member in members if member in self._repaired), None)


_RULES = {
    "schema": "only 1 is known",
    "at": "expected epoch milliseconds from the year 2000 on",
    "region": "not a region",
}


def _is_one(schema: object) -> bool:
    return type(schema) is int and schema == 1
