"""Direction of a repair: a control event stays the event that it was, and never becomes a looser one."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import ValidationError, convert

from operators.parse import control_name
from tacit.contract.events import MAX_AT_MS, MIN_AT_MS, Consent, Event, Forget, Interaction, UserId
from tacit.contract.gates import SCOPES


def looser(event: Event, control: str, original: bytes | None) -> str | None:
    """Return why a repaired event must not take the place of a rejected record; None if it may.

    The text repeats nothing of either. Where the original is gone or unclear, the most restrictive event alone may
    take its place: a withdrawal of all scopes, or a forget of everything.

    Args:
        event: the repaired event.
        control: type of the rejected control event; empty for any other record.
        original: bytes of the rejected record; None if the origin does not hold them any more.
    """
    document = _document(original)
    if (before := _user_id(document)) is not None and before != event.user_id:
        return "user_id: the repaired event is of another user"
    if isinstance(event, Interaction) or not control:
        is_same = isinstance(event, Interaction) and not control
        return None if is_same else f"type: the rejected record was of type {control or 'interaction'}"
    if control_name(event) != control:
        return f"type: the rejected record was of type {control}"
    if isinstance(event, Consent):
        return _looser_consent(event, document)
    if isinstance(event, Forget):
        return _narrower(event.facets, document, "facets")
    return _other_time(event.at, document)


def _looser_consent(event: Consent, document: Mapping[str, Any]) -> str | None:
    if not event.granted:
        scopes = None if event.scope is None or set(event.scope) == set(SCOPES) else event.scope
        return _narrower(scopes, document, "scope")
    if document.get("granted") is not True:
        return "granted: the rejected record is not plainly a yes, so it can only become a withdrawal"
    given = document.get("scope", list(SCOPES))
    if not isinstance(given, list) or not set(event.scope or SCOPES) <= {each for each in given if each in SCOPES}:
        return "scope: a yes must not get further scopes"
    return _other_time(event.at, document)


def _other_time(at_ms: int, document: Mapping[str, Any]) -> str | None:
    """Return why a yes or a pin must not become newer: it would outrank a later choice of the user."""
    before = document.get("at")
    if type(before) is int and MIN_AT_MS <= before <= MAX_AT_MS and at_ms > before:
        return "at: a yes or a pin must not become newer than the rejected record"
    return None


def _narrower(names: list[Any] | None, document: Mapping[str, Any], member: str) -> str | None:
    """Return why a "no" must not be narrowed to some names: the rejected one may have had others."""
    if names is None:
        return None
    given = document.get(member)
    if isinstance(given, list) and given and set(map(str, given)) <= set(map(str, names)):
        return None
    return f"{member}: a no must not become narrower than the rejected record; leave {member} out"


def _document(data: bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _user_id(document: Mapping[str, Any]) -> str | None:
    """Return the user id of a document, if the contract allows it."""
    try:
        return convert(document.get("user_id"), UserId)
    except ValidationError:
        return None
