"""JSON Schema of the contract, derived from types: `python -m tacit.contract.schemas docs/schema`.

event.schema.json     a record of the events topic, or a line of a file
signal.schema.json    a user's signals in Redis: the hash, with the JSON of each field decoded
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from tacit.contract.events import END, Event
from tacit.contract.signals import PROFILE, STATUS, WIPED, Profile, Signal, Status, Wiped

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_EVENT = (
    "An event, version 1 of the contract: at most 16 KiB of JSON. "
    "Facets, values, topics, surfaces and feedback kinds must also be in the deployment's catalogue."
)
_SIGNALS = (
    "The signals of one user, version 1 of the contract: facet name → signal. "
    "Readers ignore unknown members: later versions may add members."
)


def event_schema() -> dict[str, Any]:
    """Return the schema of an event."""
    schema = msgspec.json.encode(msgspec.json.schema(Event)).replace(msgspec.json.encode(END)[1:-1], b"$")
    return {"$schema": DIALECT, "title": "Event", "description": _EVENT, **msgspec.json.decode(schema)}


def signal_schema() -> dict[str, Any]:
    """Return the schema of a user's signals hash, by field."""
    (signal, profile, status, wiped), definitions = msgspec.json.schema_components(
        (Signal, Profile, Status, Wiped), ref_template="#/$defs/{name}"
    )
    return {
        "$schema": DIALECT,
        "title": "Signals",
        "description": _SIGNALS,
        "type": "object",
        "properties": {PROFILE: profile, STATUS: status, WIPED: wiped},
        "patternProperties": {"^[^_]": signal},
        "additionalProperties": False,
        "$defs": definitions,
    }


def documents() -> dict[str, str]:
    """Return the text of each schema by file name."""
    schemas = {"event.schema.json": event_schema(), "signal.schema.json": signal_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    """Write the schemas into the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tacit.contract.schemas FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        new = folder / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)


if __name__ == "__main__":
    main()
