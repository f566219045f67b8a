"""File of repaired records: JSON lines with the origin of the reject and the whole event in its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from dataflows.rejects.stored import Place
from tacit.errors import ConfigurationError


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    event: msgspec.Raw


class Repairs(NamedTuple):
    """Repaired records by the origin of their rejects."""

    by_origin: Mapping[str, bytes]


def read_repairs(path: Path) -> Repairs:
    """Return the records of a file.

    Raises:
        ConfigurationError: the file cannot be read, a line has another form, or two lines have one origin.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError([f"repaired: {path} cannot be read: {error.strerror}; correct the path"]) from error
    found: dict[str, bytes] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        try:
            each = msgspec.json.decode(line, type=_Line)
            origin = str(Place.parse(each.origin))
        except (msgspec.MsgspecError, UnicodeDecodeError, ConfigurationError):
            form = 'a line has the form {"origin": "TOPIC/PARTITION/OFFSET or FILE:LINE", "event": {…}}'
            problems.append(f"repaired: {path}, line {number}: {form}")
            continue
        if origin in found:
            problems.append(f"repaired: {path}, line {number}: an earlier line has the origin, too; keep one of them")
        found[origin] = bytes(each.event)
    if problems:
        raise ConfigurationError(problems)
    return Repairs(found)
