"""dataflows/control/schemas: the published schemas are those of the types."""

import sys
from pathlib import Path

import pytest

from dataflows.control.schemas import documents, main

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "schema"


@pytest.mark.parametrize("name", documents())
def test_published_schema_is_up_to_date(name: str) -> None:
    """After a change of a document: `make schemas`."""
    assert (PUBLISHED / name).read_text(encoding="utf-8") == documents()[name]


def test_schemas_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make schemas` calls the module."""
    monkeypatch.setattr(sys, "argv", ["schemas", str(tmp_path)])
    main()
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == documents()
