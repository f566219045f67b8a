"""operators/decoders/protobuf: messages, their indexes, and the schemas of other producers."""

import json
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from operators.decoders import Undecodable, protobuf
from operators.decoders.json import decode as decode_json
from operators.decoders.protobuf import compile_schema
from operators.decoders.protobuf_compiler import compiled
from state.events.records import Reason
from state.events.registered_schema import RegisteredSchema
from tests.support import event_schemas
from tests.support.event_schemas import PROTOBUF, header
from tests.support.factories import make_event

OTHER = """
syntax = "proto3";
package acme;
import "google/protobuf/timestamp.proto";
message Before { string text = 1; }
message Outer {
  map<string, string> labels = 9;
  message First { string text = 1; }
  message Turn {
    enum Kind { unknown = 0; interaction = 1; pin = 2; }
    Kind type = 21; int64 schema = 22; string event_id = 23; string user_id = 24; int64 at = 25; string region = 26;
    map<string, string> served = 27; string trace = 28; string facet = 29; string value = 30; bytes item = 31;
    google.protobuf.Timestamp when = 32; Turn parent = 33; repeated string scopes = 34; bool granted = 35;
  }
}
"""
TURN = b"\x04\x02\x02"
"""Two indexes: message 1 of the file, message 1 in it."""

SCHEMA = RegisteredSchema("PROTOBUF", OTHER)
READ = protobuf.make_format(lambda id_: SCHEMA if id_ == 5 else PROTOBUF).decode


def turn(**members: Any) -> bytes:
    """Return a record of another producer's message."""
    _, pool = compiled(SCHEMA)
    made: Any = GetMessageClass(pool.FindMessageTypeByName("acme.Outer.Turn"))
    message = made(**(make_event() | members))
    body: bytes = message.SerializeToString()
    return header(5) + TURN + body


def as_json(**members: Any) -> Any:
    return decode_json(json.dumps(make_event(**members)).encode())


def test_schema_of_another_producer() -> None:
    """Names count, numbers of fields do not; an enum is its name, and other members are dropped."""
    assert READ(turn(served={"length": "concise"}, trace="t")) == as_json(served={"length": "concise"})


def test_bytes_are_no_text() -> None:
    """An id made of them would be another one."""
    assert READ(turn(item=b"ab")) == Undecodable(Reason.INVALID, "item: expected str | null, got array")


def test_value_of_a_pin_needs_presence_to_be_null() -> None:
    """A field without presence leaves open whether the pin is taken back, so the event is a control reject."""
    assert READ(turn(type=2, facet="tone", value="formal")) == as_json(type="pin", facet="tone", value="formal")
    found = READ(turn(type=2, facet="tone", value=""))
    assert found == Undecodable(Reason.INVALID, "value: neither a value nor null", "pin")
    event = make_event(type="pin", facet="tone", value=None)
    assert READ(event_schemas.protobuf(event)) == as_json(type="pin", facet="tone", value=None)


@pytest.mark.parametrize(
    "indexes",
    [b"", b"\x02", b"\x02\x08", b"\x01", b"\x02\x01", b"\x80", b"\x80" * 9, b"\x12" + b"\x02" * 9, b"\x06\x02\x02\x02"],
)
def test_wrong_indexes_are_broken(indexes: bytes) -> None:
    """Negative, missing, too many, and those of no message."""
    found = READ(header(5) + indexes)
    assert found == Undecodable(Reason.UNREADABLE, "broken Protobuf")


def test_indexes_of_the_first_message() -> None:
    """One zero, or a list of it."""
    for indexes in (b"\0", b"\x02\0"):
        assert READ(event_schemas.protobuf(make_event(), 1, indexes)) == as_json()


def test_map_takes_no_index() -> None:
    """Compilers make a message of it, which the text of the schema does not have."""
    assert READ(header(5) + b"\x04\x02\x04") == Undecodable(Reason.UNREADABLE, "broken Protobuf")


def test_deep_message_is_broken() -> None:
    """The library limits the depth."""
    body = b""
    for _ in range(500):
        size = len(body)
        body = b"\x8a\x02" + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + body
    assert READ(header(5) + TURN + body) == Undecodable(Reason.UNREADABLE, "broken Protobuf")


@given(st.binary(max_size=60))
def test_any_bytes_are_members_or_broken(body: bytes) -> None:
    """No other error."""
    reader = compile_schema_once()
    try:
        reader.read(TURN + body)
    except ValueError:
        return


def compile_schema_once(found: list[Any] = []) -> Any:  # noqa: B006  # a cache
    if not found:
        found.append(compile_schema(SCHEMA))
    return found[0]
