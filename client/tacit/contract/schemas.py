"""The contract as JSON Schema, generated from the types: `python -m tacit.contract.schemas docs/schema`.

event.schema.json     one record of the events topic, or one line of a file
signal.schema.json    one person's signals as Redis holds them: the hash, its fields' JSON decoded
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from tacit.contract.events import EVENT
from tacit.contract.signals import PROFILE, STATUS, WIPED, Profile, Signal, Status, Wiped

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_EVENT = (
    "What comes in, version 1 of the contract: at most 16 KiB of JSON. "
    "Facets, values, topics, surfaces and feedback kinds must also be in the deployment's catalogue."
)
_SIGNALS = (
    "What Copilot reads of one person, version 1 of the contract: a facet's name → its signal. "
    "Readers ignore members they do not know: later versions add some."
)


def event_schema() -> dict[str, Any]:
    """Return the schema of one event."""
    return {"$schema": DIALECT, "title": "Event", "description": _EVENT, **EVENT.json_schema()}


def signal_schema() -> dict[str, Any]:
    """Return the schema of one person's hash of signals, by field."""
    (signal, profile, status, epoch), definitions = msgspec.json.schema_components(
        (Signal, Profile, Status, Wiped), ref_template="#/$defs/{name}"
    )
    return {
        "$schema": DIALECT,
        "title": "Signals",
        "description": _SIGNALS,
        "type": "object",
        "properties": {PROFILE: profile, STATUS: status, WIPED: epoch},
        "patternProperties": {"^[^_]": signal},
        "additionalProperties": False,
        "$defs": definitions,
    }


def documents() -> dict[str, str]:
    """Return every schema's file name and text."""
    schemas = {"event.schema.json": event_schema(), "signal.schema.json": signal_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    """Write the schemas into the folder that is named."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tacit.contract.schemas FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
