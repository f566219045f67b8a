"""What Redis holds, as far as a rebuild promises to bring it back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

from dataflows.inspection import inspect
from dataflows.rebuild import rebuild
from dataflows.settings import OwnSettings
from state.catalogue import Catalogue
from tests.running import everything_in


def rebuild_into(url: str, state: Path, namespace: str | None = None) -> dict[str, Any]:
    """Rebuild, and return the summary."""
    settings = OwnSettings(embedded=True, redis=url)
    return rebuild(inspect(state, Catalogue.load()), settings, namespace, lambda _: None).as_dict()


def held(client: redis.Redis) -> dict[str, Any]:
    """Return all that a Redis holds, as JSON has it."""
    return as_json(everything_in(client))


def as_json(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return it with lists for sets."""
    found: dict[str, Any] = json.loads(json.dumps(held, default=sorted))
    return found


def decided(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return all keys, and of signals what matters: value, tier and source."""
    return {key: _decided(content) if key.endswith(":signals") else content for key, content in held.items()}


def _decided(fields: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    said = {name: json.loads(content) for name, content in fields.items()}
    members = ("value", "tier", "source", "status")
    return {name: tuple(one.get(member, "") for member in members) for name, one in said.items()}


def versions(held: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the version of each field."""
    return {
        (key, name): json.loads(content)["v"]
        for key, fields in held.items()
        if key.endswith(":signals")
        for name, content in fields.items()
    }
