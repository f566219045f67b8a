"""operators/decoders/avro: schemas of other producers, and broken ones."""

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decoders import Undecodable, avro
from operators.decoders.avro import compile_schema
from operators.decoders.framed import UnusableSchemaError
from operators.decoders.json import decode as decode_json
from state.events.records import Reason
from state.events.registered_schema import RegisteredSchema
from tests.support.event_schemas import header
from tests.support.factories import make_event

REQUIRED = [
    {"name": "type", "type": "string"},
    {"name": "schema", "type": "int"},
    {"name": "event_id", "type": "string"},
    {"name": "user_id", "type": "string"},
    {"name": "at", "type": "long"},
    {"name": "region", "type": "string"},
]


def record(*fields: Any, name: str = "Turn") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def changed(*fields: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of the required members, some of them changed, and of further ones."""
    new = {field["name"]: field for field in fields}
    return record(*({field["name"]: field for field in REQUIRED} | new).values())


def decoded(schema: Any, event: Any, references: tuple[tuple[str, str], ...] = ()) -> Any:
    """Return the outcome of an event that is written and read by a schema."""
    return read(RegisteredSchema("AVRO", json.dumps(schema), references), written(schema, event, references))


def written(schema: Any, event: Any, references: tuple[tuple[str, str], ...] = ()) -> bytes:
    named: dict[str, Any] = {}
    for _, text in references:
        fastavro.parse_schema(json.loads(text), named)
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema, named), event)
    return header(1) + stream.getvalue()


def read(schema: RegisteredSchema, value: bytes) -> Any:
    return avro.make_format(lambda _: schema).decode(value)


def as_json(**members: Any) -> Any:
    return decode_json(json.dumps(make_event(**members)).encode())


def test_schema_of_another_producer() -> None:
    """An enum is text, a logical time is a number, and a member outside the contract is dropped."""
    schema = changed(
        {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["interaction", "forget"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "trace", "type": {"type": "map", "values": "bytes"}},
    )
    assert decoded(schema, make_event(trace={"a": b"b"})) == as_json()


def test_served_may_be_a_record() -> None:
    """Its fields are facets; null is a facet that was not served."""
    served = record({"name": "length", "type": "string"}, {"name": "tone", "type": ["null", "string"]}, name="Served")
    event = make_event(served={"length": "concise", "tone": None})
    assert decoded(changed({"name": "served", "type": served}), event) == as_json(served={"length": "concise"})


def test_records_of_a_union_are_events() -> None:
    """A schema may have a record per type."""
    pin = {**changed({"name": "facet", "type": "string"}, {"name": "value", "type": ["null", "string"]}), "name": "P"}
    union = [{**changed(), "name": "I"}, pin]
    event = make_event(type="pin", facet="tone", value=None)
    assert decoded(union, ("P", event)) == as_json(type="pin", facet="tone", value=None)
    assert decoded(union, ("I", make_event())) == as_json()


def test_schema_with_references() -> None:
    """Named types come from other schemas, each after those that it needs; the event may be one of them."""
    kind = json.dumps({"type": "enum", "name": "Kind", "symbols": ["copied"]})
    feedback = json.dumps(record({"name": "kind", "type": "Kind"}, name="Feedback"))
    references = (("Kind", kind), ("Feedback", feedback))
    schema = changed({"name": "feedback", "type": ["null", "Feedback"]})
    event = make_event(feedback={"kind": "copied"})
    assert decoded(schema, event, references) == as_json(feedback={"kind": "copied"})
    turn = RegisteredSchema("AVRO", '"Turn"', (*references, ("Turn", json.dumps(schema))))
    assert read(turn, written(schema, event, references)) == as_json(feedback={"kind": "copied"})


def test_schema_that_lacks_a_member() -> None:
    """Every record of it is invalid, as without the member in JSON."""
    schema = record(*REQUIRED[:3], *REQUIRED[4:])
    assert decoded(schema, make_event()) == Undecodable(Reason.INVALID, "user_id: missing")
    assert decoded(changed(), make_event(type="pin")).detail == "facet: not a facet"


@pytest.mark.parametrize(
    ("type_", "value", "detail"),
    [
        ("bytes", b"ada", "user_id: expected str, got array"),
        ({"type": "fixed", "name": "F", "size": 3}, b"ada", "user_id: expected str, got array"),
        ("long", 7, "user_id: expected str, got int"),
        (["null", "string"], None, "user_id: missing"),
    ],
)
def test_member_of_another_type_is_invalid(type_: Any, value: Any, detail: str) -> None:
    """Bytes are no text: an id made of them would be another user."""
    schema = changed({"name": "user_id", "type": type_})
    assert decoded(schema, make_event(user_id=value)) == Undecodable(Reason.INVALID, detail)


def test_broken_text() -> None:
    """An interaction is rejected as in JSON; a forget is carried out."""
    interaction, forget = (
        decoded(changed({"name": "region", "type": "bytes"}), make_event(type=kind, region=b"\xff\xff"))
        for kind in ("interaction", "forget")
    )
    assert interaction == Undecodable(Reason.INVALID, "region: expected str, got array")
    assert forget.members == ("region",)


def test_bytes_behind_the_record_are_broken() -> None:
    """So is a record with another schema than its own."""
    text = json.dumps(changed())
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(changed()), make_event())
    reader = compile_schema(RegisteredSchema("AVRO", text))
    assert reader.read(stream.getvalue()) == make_event()
    for body in (stream.getvalue() + b"\0", stream.getvalue()[:-1], b""):
        with pytest.raises(ValueError, match=r"broken|not one record"):
            reader.read(body)


@pytest.mark.parametrize("text", ["", "{", "7", '{"type":"record"}', '"zaphod"', "[" * 10_000, "{}", "null", "[]"])
def test_broken_schema_is_not_accepted(text: str) -> None:
    """An error of any kind is an unusable schema."""
    with pytest.raises(UnusableSchemaError):
        compile_schema(RegisteredSchema("AVRO", text))


@given(st.recursive(st.sampled_from(["null", "string", "R", "array"]), lambda inner: st.dictionaries(
    st.sampled_from(["type", "name", "fields", "items", "symbols", "size", "__fastavro_parsed"]),
    inner | st.lists(inner, max_size=3), max_size=4,
)))  # fmt: skip
def test_any_schema_compiles_or_is_not_accepted(schema: Any) -> None:
    """No other error."""
    try:
        reader = compile_schema(RegisteredSchema("AVRO", json.dumps(schema)))
    except UnusableSchemaError:
        return
    try:
        reader.read(b"\x02" * 50)
    except ValueError:
        return
