"""Limits of Avro schemas, so that a short record cannot make a large object.

An item without bytes, such as null, lets a record of ten bytes hold a list of 2^60 items. A recursive type lets a
record of 16 KiB overflow the stack of the reader, which ends the process.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from operators.decoders.framed import UnusableSchemaError

PARTS_PER_BYTE = 16
"""Values that each byte of a record may make."""

MAX_EXCESS = 2_000
"""Most values of a record beyond those that its bytes may make."""

MAX_DEPTH = 60
"""Deepest nesting of a record."""

_BYTES = {"null": 0, "float": 4, "double": 8}


class _Size(NamedTuple):
    excess: int
    """Most values beyond `PARTS_PER_BYTE` for each byte, in any form; a list or map is one value of one byte."""
    depth: int = 1


def check_limits(schema: Any, named: Mapping[str, Any]) -> None:
    """Check a schema that fastavro has parsed.

    Raises:
        UnusableSchemaError: a type is recursive, a record is too large, or an item is too large for its bytes.
    """
    _Limits(named).size(schema)


class _Limits:
    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._sizes: dict[str, _Size | None] = {}
        """Size of each record; None while it is measured."""

    def size(self, schema: Any) -> _Size:
        found = self._size(schema)
        if found.excess > MAX_EXCESS or found.depth > MAX_DEPTH:
            raise UnusableSchemaError("its records are too large or nested too deeply")
        return found

    def _size(self, schema: Any) -> _Size:
        if isinstance(schema, str):
            return self._of_name(schema) if schema in self._named else _of_bytes(_BYTES.get(schema, 1))
        if isinstance(schema, list):
            sizes = [self.size(branch) for branch in schema]
            return _nested(max(size.excess for size in sizes) - PARTS_PER_BYTE, sizes)
        kind = schema["type"]
        if kind in ("array", "map"):
            return _nested(-PARTS_PER_BYTE, [self._checked_item(schema, kind)])
        if kind in ("record", "error"):
            return self._of_record(schema)
        if kind == "fixed":
            return _of_bytes(schema["size"])
        return _of_bytes(1) if kind == "enum" else self.size(kind)

    def _of_name(self, name: str) -> _Size:
        if name not in self._sizes:
            return self.size(self._named[name])
        size = self._sizes[name]
        if size is None:
            raise UnusableSchemaError("it is recursive")
        return size

    def _of_record(self, schema: Mapping[str, Any]) -> _Size:
        name = schema["name"]
        self._sizes[name] = None
        sizes = [self.size(field["type"]) for field in schema["fields"]]
        size = self._sizes[name] = _nested(sum(size.excess for size in sizes), sizes)
        return size

    def _checked_item(self, schema: Mapping[str, Any], kind: str) -> _Size:
        item = self.size(schema["items" if kind == "array" else "values"])
        if item.excess - (PARTS_PER_BYTE if kind == "map" else 0) > 0:
            raise UnusableSchemaError("it has a list of items that take too few bytes")
        return item


def _of_bytes(count: int) -> _Size:
    return _Size(1 - PARTS_PER_BYTE * count)


def _nested(excess: int, parts: Sequence[_Size]) -> _Size:
    return _Size(1 + excess, 1 + max((part.depth for part in parts), default=0))
