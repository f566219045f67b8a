"""operators/decoders/protobuf_compiler: texts of schemas, with imports, and broken ones."""

import pytest

from operators.decoders.framed import UnusableSchemaError
from operators.decoders.protobuf_compiler import compiled
from state.events.registered_schema import RegisteredSchema

PART = 'syntax = "proto3"; package a; message Part { string text = 1; }'
WHOLE = 'syntax = "proto3"; import "parts/part.proto"; message Whole { a.Part part = 1; }'


def compile_with(*references: tuple[str, str], text: str = WHOLE) -> str:
    file, pool = compiled(RegisteredSchema("PROTOBUF", text, references))
    return str(pool.FindMessageTypeByName(file.message_type[0].name).full_name)


def test_imports_are_references() -> None:
    """By the names of the files."""
    assert compile_with(("parts/part.proto", PART)) == "Whole"


@pytest.mark.parametrize(
    "name",
    ["../part.proto", "/etc/part.proto", "a/../../part.proto", "part.py", "google/protobuf/any.proto", ".proto", "a\n"],
)
def test_reference_outside_the_folder_is_not_accepted(name: str) -> None:
    """Nothing is written elsewhere."""
    with pytest.raises(UnusableSchemaError, match="no name of a file"):
        compile_with((name, PART))


@pytest.mark.parametrize("text", ["", "syntax", WHOLE, 'syntax = "proto3"; import "/etc/passwd";', "message " * 9_000])
def test_broken_text_does_not_compile(text: str) -> None:
    """A missing import, too."""
    with pytest.raises((UnusableSchemaError, IndexError)):
        compile_with(text=text)
