"""Size of a state folder or a cut, age of its checkpoints, and the process that uses it."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dataflows.cuts.cut import Cut
from dataflows.inspection import identity_of
from dataflows.state_folder import RUN_LOCK, SHARDS
from state.storage.checkpoint_reader import Checkpoint, newest_checkpoints
from tacit_cli.views.user_panel import age, utc

_LOCKS = Path("/proc/locks")


def folder_stats(folder: Path, now_ms: int, cut: Cut | None = None) -> dict[str, Any]:
    """Return the figures as plain values.

    Args:
        folder: state folder.
        now_ms: present time, epoch milliseconds.
        cut: cut of the folder's files, which lack the tables; None for a whole folder.

    Raises:
        StateError: the folder is not a state folder, has another format, or is damaged.
    """
    identity = identity_of(folder)
    newest = newest_checkpoints(folder / SHARDS, identity.shards)
    latest = max(newest, key=lambda checkpoint: checkpoint.made_ms, default=None)
    return {
        "format": identity.format,
        "region": identity.region,
        "namespace": identity.namespace,
        "source": identity.source,
        "shards": identity.shards,
        "used_by_pid": holder(folder / RUN_LOCK),
        "users": sum(checkpoint.manifest.users for checkpoint in newest),
        "checkpoint": latest.manifest.number if latest else None,
        "checkpoint_at_ms": latest.made_ms if latest else None,
        "age_s": _age_s(latest, now_ms) if latest else None,
        "bytes": cut.size if cut else disk_bytes([folder]),
        "checkpoint_bytes": _file_bytes(newest) if cut else disk_bytes((folder / SHARDS).glob("*/c0*")),
        "by_shard": [_shard(checkpoint, now_ms) for checkpoint in newest],
    }


def _shard(checkpoint: Checkpoint, now_ms: int) -> dict[str, Any]:
    manifest = checkpoint.manifest
    return {
        "shard": manifest.shard,
        "users": manifest.users,
        "checkpoint": manifest.number,
        "checkpoint_at_ms": checkpoint.made_ms,
        "age_s": _age_s(checkpoint, now_ms),
        "bytes": _file_bytes([checkpoint]),
    }


def _file_bytes(checkpoints: Iterable[Checkpoint]) -> int:
    return sum(file.size for checkpoint in checkpoints for file in checkpoint.manifest.files.values())


def _age_s(checkpoint: Checkpoint, now_ms: int) -> float:
    return max(0, now_ms - checkpoint.made_ms) / 1000


def disk_bytes(folders: Iterable[Path]) -> int:
    """Return the size of folders on disk; a file with several names counts once, a deleted one not at all."""
    taken: dict[tuple[int, int], int] = {}
    for path in _everything_below(folders):
        with suppress(FileNotFoundError):
            found = path.lstat()
            taken[found.st_dev, found.st_ino] = 512 * found.st_blocks
    return sum(taken.values())


def _everything_below(folders: Iterable[Path]) -> Iterator[Path]:
    for top in folders:
        for folder, _, files in os.walk(top):  # skips deleted folders
            yield Path(folder)
            yield from (Path(folder, name) for name in files)


def holder(lock: Path) -> int | None:
    """Return the id of the process that holds a lock file; None: no visible process.

    The list of the kernel has it. A lock to find out, even a short one, could make a starting run fail.
    https://man7.org/linux/man-pages/man5/proc_locks.5.html
    """
    try:
        found, locks = lock.stat(), _LOCKS.read_text()
    except OSError:
        return None
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    held = (line.split() for line in locks.splitlines())
    return next((int(words[4]) for words in held if words[1:6:4] == ["FLOCK", place]), None)


def stats_table(stats: Mapping[str, Any], *, by_shard: bool) -> RenderableType:
    """Return the figures as a table; with `by_shard`, also a row per shard."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    pid = stats["used_by_pid"]
    table.add_row("made for", f"region {stats['region']}, namespace {stats['namespace']}, {stats['source']}")
    table.add_row("format", str(stats["format"]))
    table.add_row("in use", f"by process {pid}" if pid else "by no visible process")
    table.add_row("users", f"{stats['users']:,}")
    table.add_row("shards", f"{stats['shards']}, {len(stats['by_shard'])} of them with users")
    table.add_row("newest checkpoint", _newest(stats))
    table.add_row("on disk", f"{_mb(stats['bytes'])}, of it {_mb(stats['checkpoint_bytes'])} in checkpoints")
    return Group(table, Text(), _shards_table(stats["by_shard"])) if by_shard else table


def _newest(stats: Mapping[str, Any]) -> str:
    if stats["checkpoint"] is None:
        return "none yet"
    made_ms = stats["checkpoint_at_ms"]
    return f"{stats['checkpoint']}, {age(round(1000 * stats['age_s']))} old ({utc(made_ms)})"


def _shards_table(shards: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("shard", "users", "checkpoint", "size", "age"):
        table.add_column(heading, justify="right")
    for one in shards:
        users, old = f"{one['users']:,}", age(round(1000 * one["age_s"]))
        table.add_row(str(one["shard"]), users, str(one["checkpoint"]), _mb(one["bytes"]), old)
    return table


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
