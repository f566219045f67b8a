"""Members of an Avro or Protobuf record → the JSON document of the event, which the decoder of JSON decides about.

So contract, repairs and rejects are those of JSON. Members outside the contract are dropped, except from a control
event: there the decoder of JSON counts them, and looks for a misspelled scope.
"""

import json
from typing import Any

import msgspec

from operators.decoders.control import CONTROLS
from tacit.contract.events import ActedOn, Feedback, Interaction

Members = dict[str, Any]

_INTERACTION = ("type", *Interaction.__struct_fields__)
_OF_EVENTS = frozenset(_INTERACTION).union(*CONTROLS.values())
_FEEDBACK = Feedback.__struct_fields__
_ENTRY = ActedOn.__struct_fields__

_encode = msgspec.json.Encoder().encode


def control_name(kind: object) -> str:
    """Return the type of a control event, and an empty text for any other value."""
    name = kind.strip().lower() if isinstance(kind, str) else ""
    return name if name in CONTROLS else ""


def to_document(members: Members) -> bytes:
    """Return the JSON document of a record's members. Null is absent, except as the value of a pin."""
    kind = control_name(members.get("type"))
    found = _control(members, CONTROLS[kind]) if kind else _interaction(members)
    try:
        return _encode(found)
    except UnicodeEncodeError:  # broken text, which the decoder of JSON finds
        return json.dumps(found, ensure_ascii=False).encode(errors="surrogateescape")


def _control(members: Members, own: frozenset[str]) -> Members:
    others = _OF_EVENTS - own
    return {
        name: value
        for name, value in members.items()
        if name not in others and (value is not None or (name == "value" and name in own))
    }


def _interaction(members: Members) -> Members:
    found = {name: value for name in _INTERACTION if (value := members.get(name)) is not None}
    if isinstance(served := found.get("served"), dict):
        found["served"] = {facet: value for facet, value in served.items() if value is not None}
    if isinstance(feedback := found.get("feedback"), dict):
        found["feedback"] = {name: feedback[name] for name in _FEEDBACK if name in feedback}
    for name in ("acted_on", "proposed"):
        if isinstance(entries := found.get(name), list):
            found[name] = [_entry(entry) for entry in entries]
    return found


def _entry(entry: object) -> object:
    return {name: entry[name] for name in _ENTRY if name in entry} if isinstance(entry, dict) else entry
