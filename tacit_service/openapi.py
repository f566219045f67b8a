"""OpenAPI document, made from the operations: `python -m tacit_service.openapi docs/reference` writes it."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tacit.contract.events import END, Event
from tacit_service.http.operations import Operation
from tacit_service.http.problems import KINDS, PROBLEM_JSON, Problem

FILE = "openapi.json"
_REF = "#/components/schemas/{name}"
_ALWAYS = ("internal", "not-found", "method-not-allowed")
_DESCRIPTION = (
    "Reads the style that each user likes, takes events, and lets users see and change what was learned. "
    "Errors are problem details (RFC 9457)."
)


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """Return the document of some operations."""
    listed = list(operations)
    types = [kind for each in listed for kind in _types(each)]
    schemas, components = msgspec.json.schema_components([*types, Problem, Event], ref_template=_REF)
    references = {_name(kind): schema for kind, schema in zip([*types, Problem, Event], schemas, strict=True)}
    components["Event"] = references[_name(Event)]
    paths: dict[str, dict[str, Any]] = {}
    for each in listed:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, references)
    found = {
        "openapi": "3.1.0",
        "info": {"title": "Tacit", "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `tacit token`, or a JWT. Scopes: choose, send, manage, export.",
                }
            },
        },
    }
    text = msgspec.json.encode(found).replace(msgspec.json.encode(END)[1:-1], b"$")
    return msgspec.json.decode(text, type=dict[str, Any])


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", repr(kind))


def _types(operation: Operation) -> list[Any]:
    found = [] if operation.body is None else [operation.body]
    return found + [kind for _, kind in operation.answers.values() if kind is not None and not isinstance(kind, str)]


def _operation(operation: Operation, references: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.handle.__name__,
        "summary": operation.summary,
        "description": (operation.handle.__doc__ or "").strip(),
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": _responses(operation, references),
    }
    if operation.scope is not None:
        found["security"] = [{"token": [] if operation.scope == "any" else [operation.scope]}]
    body = operation.body_schema if operation.body is None else references[_name(operation.body)]
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


def _parameter(each: Any) -> dict[str, Any]:
    schema = dict(msgspec.json.schema(each.kind))
    return {
        "name": each.name,
        "in": each.place,
        "required": each.is_required,
        "description": each.description,
        "schema": schema,
    }


def _responses(operation: Operation, references: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, (text, kind) in operation.answers.items():
        found[str(status)] = {"description": text}
        if isinstance(kind, str):
            found[str(status)]["content"] = {kind: {}}
        elif kind is not None:
            found[str(status)]["content"] = {"application/json": {"schema": references[_name(kind)]}}
    if operation.forms:
        found["200"]["content"] |= {form: {} for form in operation.forms}
    problem = {PROBLEM_JSON: {"schema": references["Problem"]}}
    for name in _problems(operation):
        kind = KINDS[name]
        if str(kind.status) not in found:
            found[str(kind.status)] = {"description": f"{kind.title}.", "content": problem}
    return dict(sorted(found.items()))


def _problems(operation: Operation) -> list[str]:
    found = [*_ALWAYS, *operation.problems]
    if operation.scope is not None:
        found += ["unauthorized", "forbidden", "too-many-requests", "invalid-request", "unavailable"]
    if operation.body is not None or operation.body_schema is not None:
        found += ["too-large", "unsupported-media-type", "request-timeout"]
    return found


def text() -> str:
    """Return the text of the published document."""
    from tacit_service.app import operations, version

    return json.dumps(document(operations(), version()), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document into the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tacit_service.openapi FOLDER")
    (Path(sys.argv[1]) / FILE).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
