"""Schemas of a registry, in the form in which decoders ask for them."""

from collections.abc import Callable
from typing import NamedTuple


class RegisteredSchema(NamedTuple):
    """A schema by the id that records carry."""

    kind: str
    """AVRO, PROTOBUF or JSON."""
    text: str
    references: tuple[tuple[str, str], ...] = ()
    """Name and text of the schemas that the text refers to, each after those that it refers to itself."""


class UnknownSchemaError(LookupError):
    """No schema has the id; the text is a fixed one, and may be the detail of a reject."""


LookUp = Callable[[int], RegisteredSchema]
"""Function: schema id → schema. It raises UnknownSchemaError, or waits while the registry is down."""
