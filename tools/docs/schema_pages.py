"""References of events and signals, from the JSON Schemas of the contract and the types behind them."""

import json
from collections.abc import Mapping
from typing import Any

from tacit.contract import events, signals
from tacit.contract.schemas import event_schema, signal_schema
from tools.docs.markdown import code, member_texts, paragraph, table

Schema = Mapping[str, Any]


def events_page() -> str:
    """Return the page of the events."""
    return _page("Events", event_schema(), events, "event")


def signals_page() -> str:
    """Return the page of the signals."""
    return _page("Signals", signal_schema(), signals, "signal")


def _page(title: str, schema: Schema, module: object, name: str) -> str:
    definitions: Schema = schema["$defs"]
    parts = [
        f"# {title}",
        f"This page is generated from `client/tacit/contract/{name}s.py`.",
        f"The same as [JSON Schema](../schema/{name}.schema.json); [the contract](../contract.md) has the rules.",
        *(_section(each, definition, getattr(module, each, None)) for each, definition in definitions.items()),
    ]
    return "\n\n".join(parts)


def _section(name: str, definition: Schema, cls: type | None) -> str:
    properties: Schema = definition.get("properties", {})
    texts = _texts(cls, properties)
    rows = [
        [code(each), shape(rule), "yes" if each in definition.get("required", ()) else "", texts.get(each, "")]
        for each, rule in properties.items()
    ]
    headings = ["member", "type", "required", "meaning"]
    if not any(row[3] for row in rows):
        headings, rows = headings[:3], [row[:3] for row in rows]
    return f"## {name}\n\n{paragraph(definition.get('description'))}\n\n{table(headings, rows)}"


def _texts(cls: type | None, properties: Schema) -> dict[str, str]:
    """Return the meaning of each member, by the member's name in JSON."""
    texts = member_texts(cls) if cls is not None else {}
    names = dict(zip(getattr(cls, "__struct_fields__", ()), getattr(cls, "__struct_encode_fields__", ()), strict=True))
    described = {name: str(rule["description"]) for name, rule in properties.items() if "description" in rule}
    return {names.get(name, name): text for name, text in texts.items()} | described


def shape(rule: Schema) -> str:
    """Return a schema of one member in words.

    >>> shape({"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 64})
    'array of string (at most 40 characters) (at most 64 items)'
    """
    match rule:
        case {"$ref": reference}:
            name = str(reference).rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"const": value}:
            return code(json.dumps(value))
        case {"enum": values}:
            return ", ".join(code(json.dumps(value)) for value in values)
        case {"anyOf": rules} | {"oneOf": rules}:
            return " or ".join(dict.fromkeys(map(shape, rules)))
    return _named_type(rule) + "".join(f" ({text})" for text in _limits(rule))


def _named_type(rule: Schema) -> str:
    named = rule.get("type", "any value")
    match rule:
        case {"prefixItems": list(items)}:
            return f"array of [{', '.join(map(shape, items))}]"
        case {"items": Mapping() as items}:
            return f"array of {shape(items)}"
        case {"additionalProperties": Mapping() as values}:
            return f"object of {shape(values)}"
    return " or ".join(named) if isinstance(named, list) else str(named)


def _limits(rule: Schema) -> list[str]:
    limits = (
        _range(rule, "minimum", "maximum", ""),
        _range(rule, "minLength", "maxLength", " characters"),
        _range(rule, "minItems", "maxItems", " items"),
        _range(rule, "minProperties", "maxProperties", " members"),
        code(rule.get("pattern", "")),
    )
    return [limit for limit in limits if limit]


def _range(rule: Schema, low: str, high: str, unit: str) -> str:
    match rule.get(low), rule.get(high):
        case None, None:
            return ""
        case None, most:
            return f"at most {most}{unit}"
        case least, None:
            return f"at least {least}{unit}"
        case least, most:
            return f"{least}{unit}" if least == most else f"{least}–{most}{unit}"
