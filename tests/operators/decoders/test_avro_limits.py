"""operators/decoders/avro_limits: no short record makes a large object."""

import json
from typing import Any

import pytest

from operators.decoders.avro import compile_schema
from operators.decoders.framed import UnusableSchemaError
from state.events.registered_schema import RegisteredSchema
from tests.support.event_schemas import AVRO


def record(name: str, *types: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{n}", "type": t} for n, t in enumerate(types)]}


def check(schema: Any) -> None:
    compile_schema(RegisteredSchema("AVRO", json.dumps(schema)))


def test_published_schema_is_accepted() -> None:
    """With wide limits."""
    compile_schema(AVRO)


@pytest.mark.parametrize(
    "schema",
    [
        record("R", ["null", "R"]),
        record("R", {"type": "array", "items": "R"}),
        record("R", {"type": "map", "values": ["null", record("S", ["null", "R"])]}),
    ],
)
def test_recursive_schema_is_not_accepted(schema: Any) -> None:
    """Its records could end the process by their depth."""
    with pytest.raises(UnusableSchemaError, match="recursive"):
        check(schema)


@pytest.mark.parametrize(
    "items",
    ["null", record("Empty"), record("Nulls", "null", "null"), {"type": "fixed", "name": "F", "size": 0}],
)
def test_list_of_items_without_bytes_is_not_accepted(items: Any) -> None:
    """A count of 2^60 items takes nine bytes."""
    with pytest.raises(UnusableSchemaError, match="too few bytes"):
        check(record("R", {"type": "array", "items": items}))


def test_items_of_a_map_have_a_key() -> None:
    """So a map of nulls is bounded by its bytes, unless an item has many parts."""
    check(record("R", {"type": "map", "values": "null"}))
    with pytest.raises(UnusableSchemaError, match="too few bytes"):
        check(record("R", {"type": "map", "values": record("Nulls", *["null"] * 40)}))


def test_list_of_large_optional_items_is_accepted() -> None:
    """A branch of a union that has many values also has their bytes."""
    optional = record("Large", *[["null", "string"]] * 200)
    check(record("R", {"type": "array", "items": record("Item", ["null", optional])}))
    with pytest.raises(UnusableSchemaError, match="too few bytes"):
        check(record("R", {"type": "array", "items": ["string", record("Nulls", *["null"] * 40)]}))


def test_doubling_schema_is_not_accepted() -> None:
    """Each type holds the type before twice: 40 of them would be 2^40 values in a record without bytes."""
    types: list[Any] = [record("T0", "null")]
    types += [record(f"T{n}", f"T{n - 1}", f"T{n - 1}") for n in range(1, 40)]
    with pytest.raises(UnusableSchemaError, match="too large"):
        check(record("R", *types))


def test_deep_schema_is_not_accepted() -> None:
    """A chain of names is as deep as a nested text."""
    chain: list[Any] = [record("T0", "string")] + [record(f"T{n}", f"T{n - 1}") for n in range(1, 100)]
    with pytest.raises(UnusableSchemaError, match="nested too deeply"):
        check(record("R", *chain))
    nested: Any = "string"
    for n in range(60):
        nested = record(f"T{n}", nested)
    with pytest.raises(UnusableSchemaError, match="nested too deeply"):
        check(nested)
