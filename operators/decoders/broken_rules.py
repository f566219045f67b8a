"""The broken rule of an invalid event, in plain words."""

import re

import msgspec

from tacit.contract.events import END, Event

_, _structs = msgspec.json.schema_components([Event])
MEMBERS = frozenset(name for struct in _structs.values() for name in struct["properties"])
"""Member names of the contract. Any other name comes from a producer and is not repeated."""

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_PATTERN = re.compile(r"Expected `str` matching regex '\^(.*)'", re.DOTALL)
_RULE = re.compile(r"Expected .*|(?:Integer value|Number) out of range")
_PART = re.compile(r"\w+|\.\.\.")


def broken_rule(error: msgspec.ValidationError) -> str:
    r"""Return `path: rule`; a part of the path that is not a member of the contract or an index is `*`.

    >>> broken_rule(msgspec.ValidationError("Expected `int` >= 946684800000 - at `$.at`"))
    'at: expected epoch milliseconds from the year 2000 on'
    >>> broken_rule(msgspec.ValidationError("Expected `str`, got `int` - at `$.served[...]`"))
    'served.*: expected str, got int'
    >>> broken_rule(msgspec.ValidationError("Object contains unknown field `zaphod` - at `$.feedback`"))
    'feedback.*: unknown member'
    """
    message, _, place = str(error).partition(" - at `")
    path = [part if part in MEMBERS or part.isdecimal() else "*" for part in _PART.findall(place.partition("$")[2])]
    if place.startswith("key`"):
        path.append("*")
    if message.startswith("Object contains unknown field"):
        path, rule = [*path, "*"], "unknown member"
    elif missing := _MISSING.fullmatch(message):
        path, rule = [*path, missing[1]], "missing"
    elif path == ["type"]:
        rule = "not interaction, consent, pin or forget"
    elif path == ["at"] and message.startswith("Expected `int` >="):
        rule = "expected epoch milliseconds from the year 2000 on"
    elif pattern := _PATTERN.fullmatch(message):
        rule = "must match " + pattern[1].replace(r"\\", "\\").removesuffix(END)
    else:
        rule = _plain(message)
    return f"{'.'.join(path) or 'event'}: {rule}"


def _plain(message: str) -> str:
    """Return a message of msgspec that repeats types and limits only; any other one may repeat a value."""
    return message[:1].lower() + message[1:].replace("`", "") if _RULE.fullmatch(message) else "value not allowed"
