"""Records in the wire format of Confluent: a zero byte, the id of a schema in four bytes, and the encoded event.

A record that does not begin with a zero byte is JSON: the commands that forget, pin and change a consent write JSON,
and a topic may change its format.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from operators.decoders import Format, Repaired, Undecodable, UndecodableError, json
from operators.decoders.control import read_control
from operators.decoders.json_line import Line, read_line, read_user_id
from operators.decoders.projection import Members, control_name, to_document
from state.events.records import Reason
from state.events.registered_schema import LookUp, RegisteredSchema, UnknownSchemaError
from tacit.contract.events import MAX_EVENT_BYTES, Event

MAX_SCHEMAS = 1_000
MAX_SCHEMA_CHARACTERS = 4_000_000
"""Limits of the schemas that are kept; the least recently used leaves first."""

_HEADER_BYTES = 5


class UnusableSchemaError(ValueError):
    """A schema that no record is read by; the text names the rule, and nothing of the schema."""


class Reader(Protocol):
    """Reader of the records of one schema."""

    def read(self, body: bytes) -> Members:
        """Return the members of the event. It raises ValueError, without content, for bytes of another form."""
        ...

    def user_id(self, body: bytes) -> object:
        """Return the user id of the event that `read` returns. It raises ValueError for bytes of another form."""
        ...

    def kind(self, body: bytes) -> object:
        """Return the type of the event in a broken record, as far as it is readable. It raises nothing."""
        ...


Compile = Callable[[RegisteredSchema], Reader]
"""Function: schema → reader. It raises UnusableSchemaError."""


def _unknown(detail: object) -> Undecodable:
    return Undecodable(Reason.UNKNOWN_SCHEMA, f"schema id: {detail}")


_NO_USER = Undecodable(Reason.INVALID, "user_id: not a user id")
_NO_HEADER = Undecodable(Reason.UNREADABLE, "event: no schema id")


def framed_format(name: str, kind: str, compile_schema: Compile, look_up: LookUp | None) -> Format:
    """Return a format; arguments as of `FramedFormat`.

    Raises:
        ValueError: there is no look-up.
    """
    if look_up is None:
        raise ValueError(f"{name} needs a look-up of schemas")
    decoder = FramedFormat(name, kind, compile_schema, look_up)
    return Format(decoder.decode, decoder.read_user_id, decoder.read_line)


class FramedFormat:
    """Decoder of framed records of one kind of schema.

    Args:
        name: name of the format in details.
        kind: kind of its schemas in the registry.
        compile_schema: makes readers.
        look_up: finds schemas by id.
    """

    def __init__(self, name: str, kind: str, compile_schema: Compile, look_up: LookUp) -> None:
        self._name = name
        self._kind = kind
        self._compile = compile_schema
        self._look_up = look_up
        self._readers: OrderedDict[int, tuple[Reader | Undecodable, int]] = OrderedDict()
        self._characters = 0

    def decode(self, data: bytes) -> Event | Repaired | Undecodable:
        """Return the event in a record, or a reject reason.

        Raises:
            TacitError: the registry stays away.
        """
        if data[:1] != b"\0" and data:
            return json.decode(data)
        try:
            reader = self._reader(data)
            if len(data) <= MAX_EVENT_BYTES:
                return json.decode_document(self._document(reader, data))
            return self._large(reader, data)
        except UndecodableError as error:
            return error.reject

    def read_user_id(self, data: bytes) -> str:
        """Return the user id of a record. Errors: UndecodableError, or those of `json_line.read_user_id`."""
        if data[:1] != b"\0":
            return read_user_id(data)
        try:
            user_id = self._reader(data).user_id(data[_HEADER_BYTES:])
            if isinstance(user_id, str):
                user_id.encode()  # raises for broken text
                return user_id
        except ValueError:
            pass
        raise UndecodableError(_NO_USER)

    def read_line(self, data: bytes) -> Line:
        """Return the members of an interaction. Errors: UndecodableError, or those of `json_line.read_line`."""
        if data[:1] != b"\0":
            return read_line(data)
        if len(data) > MAX_EVENT_BYTES:
            raise UndecodableError(json.TOO_LARGE)
        return read_line(self._document(self._reader(data), data))

    def _large(self, reader: Reader, data: bytes) -> Repaired | Undecodable:
        """Return a control event in a record over the limit; a "no" of any size is carried out."""
        if not control_name(reader.kind(data[_HEADER_BYTES:])):
            return json.TOO_LARGE
        return read_control(self._document(reader, data)) or json.TOO_LARGE

    def _document(self, reader: Reader, data: bytes) -> bytes:
        body = data[_HEADER_BYTES:]
        try:
            return to_document(reader.read(body))
        except ValueError:
            control = control_name(reader.kind(body))
            raise UndecodableError(Undecodable(Reason.UNREADABLE, f"broken {self._name}", control)) from None

    def _reader(self, data: bytes) -> Reader:
        if len(data) < _HEADER_BYTES:
            raise UndecodableError(_NO_HEADER)
        id_ = int.from_bytes(data[1:_HEADER_BYTES])
        known = self._readers.get(id_)
        if known is None:
            known = self._add(id_)
        else:
            self._readers.move_to_end(id_)
        reader = known[0]
        if isinstance(reader, Undecodable):
            raise UndecodableError(reader)
        return reader

    def _add(self, id_: int) -> tuple[Reader | Undecodable, int]:
        """Look up and keep a schema. A missing one is not kept here: it may be registered later."""
        try:
            schema = self._look_up(id_)
        except UnknownSchemaError as error:
            raise UndecodableError(_unknown(error)) from None
        size = len(schema.text) + sum(len(text) for _, text in schema.references)
        added = self._readers[id_] = (self._compiled(schema), size)
        self._characters += size
        while len(self._readers) > MAX_SCHEMAS or (self._characters > MAX_SCHEMA_CHARACTERS and len(self._readers) > 1):
            _, (_, removed) = self._readers.popitem(last=False)
            self._characters -= removed
        return added

    def _compiled(self, schema: RegisteredSchema) -> Reader | Undecodable:
        if schema.kind != self._kind:
            return _unknown(f"not the id of a schema for {self._name}")
        try:
            return self._compile(schema)
        except UnusableSchemaError as error:
            return _unknown(f"its schema is not accepted, {error}")
