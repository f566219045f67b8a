"""Protobuf → members of an event, by the schema that the record was written with.

A record names its message by indexes behind the id of its schema. Only fields that are set become members.
"""

import re
from collections.abc import Sequence

from operators.decoders import Format
from operators.decoders.control import CONTROLS
from operators.decoders.framed import framed_format
from operators.decoders.projection import Members, control_name
from state.events.registered_schema import LookUp, RegisteredSchema
from tacit.errors import ConfigurationError

try:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import DecodeError, Message
    from google.protobuf.message_factory import GetMessageClass

    from operators.decoders.protobuf_compiler import compiled
    from operators.decoders.protobuf_fields import MessageFields
except ImportError:
    raise ConfigurationError(
        ["format: protobuf needs the packages protobuf and grpcio-tools; run pip install tacit-worker[protobuf]"]
    ) from None

MAX_INDEXES = 8
"""Deepest nesting of the message of an event in other messages."""

_MAX_VARINT_BYTES = 5
_KINDS = re.compile(b"|".join(b"%c%s" % (len(name), name.encode()) for name in CONTROLS))
"""Length and text of the type of a control event."""


def make_format(look_up: LookUp | None) -> Format:
    """Return the format of framed Protobuf records.

    Raises:
        ValueError: there is no look-up.
    """
    return framed_format("Protobuf", "PROTOBUF", compile_schema, look_up)


def compile_schema(registered: RegisteredSchema) -> "ProtobufReader":
    """Return the reader of a schema.

    Raises:
        UnusableSchemaError: the schema does not compile.
    """
    return ProtobufReader(*compiled(registered))


class ProtobufReader:
    """Reader of the records of a schema."""

    def __init__(self, file: FileDescriptorProto, pool: DescriptorPool) -> None:
        self._file = file
        self._pool = pool
        self._classes: dict[tuple[int, ...], type[Message]] = {}
        """Class of each message that a record has named: at most those of the schema."""
        self._fields = MessageFields()

    def read(self, body: bytes) -> Members:
        """Return the members; ValueError for bytes of another form."""
        return _event(self._fields.members(self._message(body)))

    def user_id(self, body: bytes) -> object:
        """Return the user id alone; ValueError for bytes of another form."""
        return getattr(self._message(body), "user_id", None)

    def kind(self, body: bytes) -> object:
        """Return the type of a control event that the bytes seem to have."""
        found = _KINDS.search(body)
        return found[0][1:].decode() if found else None

    def _message(self, body: bytes) -> Message:
        indexes, place = _indexes(body)
        try:
            return self._class(indexes).FromString(body[place:])
        except (DecodeError, IndexError):
            raise ValueError("broken") from None

    def _class(self, indexes: tuple[int, ...]) -> type[Message]:
        found = self._classes.get(indexes)
        if found is None:
            names = [self._file.package] if self._file.package else []
            messages: Sequence[DescriptorProto] = self._file.message_type
            for index in indexes:
                message = messages[index]
                names.append(message.name)
                messages = [nested for nested in message.nested_type if not nested.options.map_entry]
            found = self._classes[indexes] = GetMessageClass(self._pool.FindMessageTypeByName(".".join(names)))
        return found


def _indexes(body: bytes) -> tuple[tuple[int, ...], int]:
    """Return the indexes of the message, and the place of its bytes. A single zero is short for the first message."""
    count, place = _varint(body, 0)
    if count > MAX_INDEXES:
        raise ValueError("too many indexes")
    found = []
    for _ in range(count):
        index, place = _varint(body, place)
        found.append(index)
    return tuple(found) or (0,), place


def _varint(body: bytes, place: int) -> tuple[int, int]:
    """Return a number of zero or more in zigzag form, and the place behind it."""
    number = 0
    for i, byte in enumerate(body[place : place + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            if number & 1:
                break
            return number >> 1, place + i + 1
    raise ValueError("no index")


def _event(members: Members) -> Members:
    """Return the members by the rules of the contract: an empty value takes a pin back."""
    if control_name(members.get("type")) == "pin" and members.get("value") == "":
        members["value"] = None
    for name in ("acted_on", "proposed"):
        for entry in _dicts(members.get(name)):
            entry.setdefault("version", None)
    if isinstance(served := members.get("served"), dict):
        members["served"] = {facet: _served(values) for facet, values in served.items()}
    return members


def _dicts(entries: object) -> Sequence[Members]:
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else ()


def _served(value: object) -> object:
    """Return the value of a facet, or the list of its values, from a message of one list."""
    if not isinstance(value, dict):
        return value
    values = value.get("values", [])
    return values[0] if isinstance(values, list) and len(values) == 1 else values
