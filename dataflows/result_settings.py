"""Settings that decide about the result of a replay, as its state folder remembers them.

A replay that resumes has the same ones: otherwise its result belongs to no one configuration. The settings of
`dataflows.state_folder.Identity` are compared before, also for live runs.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from dataflows.settings import Settings, descriptions
from tacit.contract.catalogue import Catalogue

_NAMES = (
    "catalogue", "population", "format", "lateness", "ttl", "tombstones", "challenger", "challenger_share", "models",
)  # fmt: skip


def result_settings(settings: Settings) -> dict[str, str]:
    """Return the values by name, as text; of the catalogue, the hash of its meaning, without comments and layout."""
    return {name: _text(getattr(settings, name)) for name in _NAMES}


def setting_differences(known: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield each difference as text; settings that a folder of an earlier version does not know do not differ."""
    for name in _NAMES:
        before, value = known.get(name), now.get(name)
        if before is not None and value is not None and before != value:
            yield f"{_shown(name)} was {before}, and is {value} now"


def _shown(name: str) -> str:
    return f"--{name.replace('_', '-')}" if descriptions()[name].is_flag else name


def _text(value: Any) -> str:
    if isinstance(value, Path):
        return f"sha256 {sha256(Catalogue.load(value).meaning).hexdigest()[:16]}…"
    if value is None or value == ():
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return msgspec.json.encode(value, order="deterministic").decode()
    return ", ".join(value) if isinstance(value, tuple) else str(value)
