"""JSON Schema of the documents on one user: `python -m dataflows.control.schemas docs/schema`.

export.schema.json    document of `tacit export`
why.schema.json       document of `tacit why --json`
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from dataflows.control.export_document import Export
from dataflows.control.why_document import Why
from tacit.contract.schemas import DIALECT

_EXPORT = (
    "All that Tacit holds and infers about one user, version 1. Later versions may add members; "
    "a changed meaning raises `schema`."
)
_WHY = "Explanation of one user's values, version 1. Later versions may add members; a changed meaning raises `schema`."


def documents() -> dict[str, str]:
    """Return the text of each schema by file name."""
    schemas = {
        "export.schema.json": _schema(Export, "Export", _EXPORT),
        "why.schema.json": _schema(Why, "Why", _WHY),
    }
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def _schema(type_: type[msgspec.Struct], title: str, description: str) -> dict[str, Any]:
    schema = msgspec.json.schema(type_)
    return {"$schema": DIALECT, "title": title, "description": description, **schema}


def main() -> None:
    """Write the schemas into the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m dataflows.control.schemas FOLDER")
    folder = Path(sys.argv[1])
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
