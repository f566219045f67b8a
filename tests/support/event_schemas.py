"""The published schemas of events, and events in Avro and Protobuf."""

import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from operators.decoders.protobuf_compiler import compiled
from state.events.registered_schema import RegisteredSchema
from tacit.contract.events import decode_event

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schema"
AVRO = RegisteredSchema("AVRO", (SCHEMAS / "event.avsc").read_text(encoding="utf-8"))
PROTOBUF = RegisteredSchema("PROTOBUF", (SCHEMAS / "event.proto").read_text(encoding="utf-8"))

AVRO_ID, PROTOBUF_ID = 1, 2
"""Ids of the published schemas in tests."""

Event = Mapping[str, Any]


def header(id_: int) -> bytes:
    """Return the beginning of the wire format."""
    return b"\0" + id_.to_bytes(4)


@cache
def _parsed(text: str) -> Any:
    return fastavro.parse_schema(json.loads(text))


def avro(event: Event, text: str = AVRO.text, id_: int = AVRO_ID) -> bytes:
    """Return a record of an event in Avro."""
    stream = BytesIO()
    fastavro.schemaless_writer(stream, _parsed(text), dict(event))
    return header(id_) + stream.getvalue()


@cache
def event_class() -> type[Message]:
    """Return the class of the message Event."""
    _, pool = compiled(PROTOBUF)
    return GetMessageClass(pool.FindMessageTypeByName("tacit.v1.Event"))


def protobuf_message(event: Event) -> Any:
    """Return the message of an event. Null as the value of a pin is an empty text; null elsewhere is absent."""
    message: Any = event_class()()
    for name, value in event.items():
        if name == "value" and value is None:
            message.value = ""
        elif name == "served":
            for facet, values in value.items():
                message.served[facet].values.extend(values if isinstance(values, list) else [values])
        elif name == "feedback":
            message.feedback.kind = value["kind"]
            message.feedback.facets.extend(value.get("facets") or ())
        elif name in ("acted_on", "proposed"):
            for entry in value:
                getattr(message, name).add(**{key: part for key, part in entry.items() if part is not None})
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        elif value is not None:
            setattr(message, name, value)
    return message


def protobuf(event: Event, id_: int = PROTOBUF_ID, indexes: bytes = b"\0") -> bytes:
    """Return a record of an event in Protobuf."""
    body: bytes = protobuf_message(event).SerializeToString()
    return header(id_) + indexes + body


def valid_event(line: bytes) -> dict[str, Any] | None:
    """Return the event of a line; None for a line that is not a valid event."""
    try:
        decode_event(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return dict(json.loads(line))
