"""operators/decoders/protobuf_fields: fields that are set, by name."""

from operators.decoders.protobuf_fields import MessageFields
from tests.support.event_schemas import event_class, protobuf_message
from tests.support.factories import FULL_EVENT


def test_members_are_the_fields_that_are_set() -> None:
    """Messages are dictionaries, also in lists and maps; an empty text is set."""
    found = MessageFields().members(protobuf_message(FULL_EVENT | {"value": None}))
    assert found.pop("served") == {"length": {"values": ["concise"]}, "format": {"values": ["bullets"]}}
    assert found.pop("value") == ""
    assert found == {name: value for name, value in FULL_EVENT.items() if name != "served"}


def test_message_without_fields_is_empty() -> None:
    """Nothing is set."""
    assert MessageFields().members(event_class()()) == {}
