"""Messages of Protobuf → dictionaries with the names of the fields that are set."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Convert = Callable[[Any], object]


class MessageFields:
    """Converter of messages; the conversion of each field is chosen once."""

    def __init__(self) -> None:
        self._conversions: dict[str, dict[int, tuple[str, Convert | None]]] = {}
        """Name of a message type → number of a field → its name and conversion; None: the value is kept."""

    def members(self, message: Message) -> dict[str, object]:
        """Return the fields that are set, by name. Bytes are lists of numbers, which no member of an event allows."""
        type_: Any = message.DESCRIPTOR  # two classes, by the implementation of the package
        conversions = self._conversions.get(type_.full_name) or self._add(type_)
        found: dict[str, object] = {}
        for field, value in message.ListFields():
            name, convert = conversions[field.number]
            found[name] = value if convert is None else convert(value)
        return found

    def _add(self, type_: Any) -> dict[int, tuple[str, Convert | None]]:
        added = {field.number: (field.name, self._conversion(field)) for field in type_.fields}
        self._conversions[type_.full_name] = added
        return added

    def _conversion(self, field: FieldDescriptor) -> Convert | None:
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            convert = self._of_one(message.fields_by_name["value"]) or _same
            return lambda table: {str(key): convert(table[key]) for key in table}
        one = self._of_one(field)
        if not field.is_repeated:
            return one
        return list if one is None else lambda items: [one(item) for item in items]

    def _of_one(self, field: FieldDescriptor) -> Convert | None:
        """Return the conversion of one value of a field."""
        if field.message_type is not None:
            return self.members
        if field.enum_type is not None:
            names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
            return lambda number: names.get(number, number)
        return list if field.type == FieldDescriptor.TYPE_BYTES else None


def _same(value: object) -> object:
    return value
