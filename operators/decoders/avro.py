"""Avro → members of an event, by the schema that the record was written with.

Logical types are ignored: `timestamp-millis` is a number, as in JSON. Bytes are never text.
"""

import json
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from operators.decoders import Format
from operators.decoders.avro_limits import check_limits
from operators.decoders.framed import UnusableSchemaError, framed_format
from operators.decoders.projection import Members
from state.events.registered_schema import LookUp, RegisteredSchema
from tacit.errors import ConfigurationError

try:
    import fastavro
except ImportError:
    raise ConfigurationError(
        ["format: avro needs the package fastavro, which is not installed; run pip install tacit-worker[avro]"]
    ) from None

MAX_DEPTH = 40
"""Deepest nesting of the text of a schema."""

Schema = Any

_ROOT = "__root"


def make_format(look_up: LookUp | None) -> Format:
    """Return the format of framed Avro records.

    Raises:
        ValueError: there is no look-up.
    """
    return framed_format("Avro", "AVRO", compile_schema, look_up)


def compile_schema(registered: RegisteredSchema) -> "AvroReader":
    """Return the reader of a schema.

    Raises:
        UnusableSchemaError: the schema is no schema of records, or its records could exhaust the memory.
    """
    named: dict[str, Schema] = {}
    try:
        for _, text in registered.references:
            fastavro.parse_schema(_loaded(text), named)
        source = _loaded(registered.text)
        kind, user = (_parsed_or_none(_beginning(source, name), dict(named)) for name in ("type", "user_id"))
        schema = fastavro.parse_schema(_as_record(source), named)
        check_limits(schema, named)
    except UnusableSchemaError:
        raise
    except Exception as error:  # fastavro raises errors of many types for a broken schema
        raise UnusableSchemaError("it is broken") from error
    texts = (registered.text, *(text for _, text in registered.references))
    return AvroReader(schema, kind, user, has_bytes=any("bytes" in text or "fixed" in text for text in texts))


class AvroReader:
    """Reader of the records of a schema."""

    def __init__(self, schema: Schema, kind: Schema | None, user: Schema | None, *, has_bytes: bool) -> None:
        """Make a reader of a schema; `kind` and `user` are its beginnings up to the type and to the user id."""
        self._schema = schema
        self._kind = kind
        self._user = user
        self._has_bytes = has_bytes

    def read(self, body: bytes) -> Members:
        """Return the members; ValueError for bytes of another form."""
        stream = BytesIO(body)
        found = _read(stream, self._schema)
        if not isinstance(found, dict) or stream.tell() != len(body):
            raise ValueError("not one record")
        return _without_bytes(found) if self._has_bytes else found

    def user_id(self, body: bytes) -> object:
        """Return the user id alone; ValueError for bytes of another form."""
        return _last(body, self._user, "user_id")

    def kind(self, body: bytes) -> object:
        """Return the type, for which the fields up to it are read."""
        try:
            return _last(body, self._kind, "type")
        except ValueError:
            return None


def _last(body: bytes, beginning: Schema | None, name: str) -> object:
    if beginning is None:
        return None
    found = _read(BytesIO(body), beginning)
    return found.get(name) if isinstance(found, dict) else None


def _read(stream: BytesIO, schema: Schema) -> object:
    try:
        found = fastavro.schemaless_reader(stream, schema, None, handle_unicode_errors="surrogateescape")
        return found[_ROOT] if isinstance(found, dict) and _ROOT in found else found
    except Exception:  # fastavro raises errors of many types for broken bytes
        raise ValueError("broken") from None


def _loaded(text: str) -> Schema:
    """Return a schema without logical types.

    Raises:
        UnusableSchemaError: the schema is nested too deeply.
    """
    found = json.loads(text, object_hook=_without_logical_type)
    level: list[Any] = [found]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return found
    raise UnusableSchemaError("it is nested too deeply")


def _children(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _without_logical_type(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members that matter; fastavro would believe its own marks."""
    return {name: value for name, value in members.items() if name != "logicalType" and not name.startswith("__")}


def _as_record(schema: Schema) -> Schema:
    """Return a schema that is a record; a record of one field has the bytes of that field.

    fastavro keeps the named types of a record only, and would parse another schema for each event.
    """
    if isinstance(schema, dict) and schema.get("type") == "record":
        return schema
    return {"type": "record", "name": _ROOT, "fields": [{"name": _ROOT, "type": schema}]}


def _parsed_or_none(schema: Schema, named: dict[str, Schema]) -> Schema | None:
    try:
        return fastavro.parse_schema(_as_record(schema), named)
    except Exception:  # a later part may name a type of the part that was cut off
        return None


def _beginning(schema: Schema, last: str) -> Schema:
    """Return the schema of the beginning of a record, up to a field."""
    if isinstance(schema, list):
        return [_beginning(branch, last) for branch in schema]
    if not isinstance(schema, dict) or not isinstance(fields := schema.get("fields"), list):
        return schema
    names = [field.get("name") for field in fields]
    return schema | {"fields": fields[: names.index(last) + 1] if last in names else []}


def _without_bytes(value: Any) -> Any:
    """Return a value with numbers in place of bytes: they break the rules of all members."""
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, dict):
        return {name: _without_bytes(child) for name, child in value.items()}
    return [_without_bytes(child) for child in value] if isinstance(value, list) else value
