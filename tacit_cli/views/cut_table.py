"""Savepoints and cuts in object storage."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dataflows.cuts.bucket import Dropped
from dataflows.cuts.cut import Cut
from tacit_cli.views.user_panel import age, utc


def cuts_as_dict(
    savepoints: Mapping[str, Cut], cuts: Iterable[Cut], dropped: Mapping[str, Dropped] = MappingProxyType({})
) -> dict[str, Any]:
    """Return savepoints, cuts, and notes of savepoints that a run dropped, as plain values."""
    return {
        "savepoints": {name: _as_dict(cut) for name, cut in savepoints.items()},
        "cuts": [_as_dict(cut) for cut in cuts],
        "dropped": {name: msgspec.to_builtins(note) for name, note in dropped.items()},
    }


def _as_dict(cut: Cut) -> dict[str, Any]:
    return {
        "cut": cut.text,
        "made_ms": cut.made_ms,
        "population": cut.population,
        "shards": len(cut.shards),
        "bytes": cut.size,
        "begun_from": cut.begun_from or None,
        "rewritten_ms": cut.rewritten_ms or None,
    }


def cut_table(
    savepoints: Mapping[str, Cut],
    cuts: Iterable[Cut],
    now_ms: int,
    dropped: Mapping[str, Dropped] = MappingProxyType({}),
) -> RenderableType:
    """Return savepoints and cuts as a table; below it, the savepoints that a run dropped."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("savepoint", "cut", "made", "age", "size", "population version", "wipes taken"):
        left = heading in {"savepoint", "cut", "made", "wipes taken"}
        table.add_column(heading, justify="left" if left else "right")
    for name, cut in (*savepoints.items(), *(("", cut) for cut in cuts)):
        old = age(max(0, now_ms - cut.made_ms))
        size, version = f"{cut.size / 1e6:,.1f} MB", str(cut.population or "none")
        taken = utc(cut.rewritten_ms) if cut.rewritten_ms else ""
        table.add_row(name, cut.text, utc(cut.made_ms), old, size, version, taken)
    notes = [Text(f"{name} was dropped {utc(note.dropped_ms)}: {note.reason}") for name, note in dropped.items()]
    return Group(table, *notes)
