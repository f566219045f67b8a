"""Bytewax's recovery store of a state folder: reads, the deletion of positions, and keyed steps over it.

The store is a folder of SQLite databases. Even a read of one writes a file next to it, so a full disk fails it.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from connectors.null_sink import NullSink
from dataflows.graph import FLOW_ID
from state.errors import StateError
from state.storage.rocksdb import storage_error

Item = tuple[str, Any]
"""Key, and value for the logic of the key."""

Build = Callable[[bytes | None], StatefulBatchLogic[Any, Any, bytes]]
"""State of a key, or None → logic of the key."""

_SOURCE_STEP = f"{FLOW_ID}.source"
_DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Primary result codes of a damaged database (https://sqlite.org/rescode.html); all others are those of the disk."""


def source_parts(recovery: Path) -> frozenset[str]:
    """Return the names of the source's parts with a position in the store.

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    found: set[str] = set()
    for path in _databases(recovery):
        with _opened(path) as database:
            rows = database.execute("SELECT state_key FROM snaps WHERE step_id = ?", (_SOURCE_STEP,))
            found |= {name for (name,) in rows}
    return frozenset(found)


def source_positions(recovery: Path) -> dict[str, bytes | None]:
    """Return part of the source → committed position, as pickled by Bytewax; None for a part that has ended.

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    commit, newest = newest_commit(recovery), dict[str, tuple[int, bytes | None]]()
    for path in _databases(recovery):
        with _opened(path) as database:
            rows = database.execute(
                "SELECT state_key, snap_epoch, ser_change FROM snaps WHERE step_id = ? AND snap_epoch <= ?",
                (_SOURCE_STEP, commit),
            )
            for part, at, position in rows:
                newest[part] = max(newest.get(part, (-1, None)), (at, position), key=itemgetter(0))
    return {part: position for part, (_, position) in sorted(newest.items())}


def newest_state(recovery: Path, step: str) -> bytes | None:
    """Return the newest state that the store has of a step, as pickled by Bytewax; it may not be committed.

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    newest: tuple[int, bytes | None] = (-1, None)
    for path in _databases(recovery):
        with _opened(path) as database:
            row = database.execute(
                "SELECT snap_epoch, ser_change FROM snaps WHERE step_id = ? AND ser_change IS NOT NULL"
                " ORDER BY snap_epoch DESC LIMIT 1",
                (f"{FLOW_ID}.{step}",),
            ).fetchone()
        if row and row[0] > newest[0]:
            newest = row
    return newest[1]


def newest_commit(recovery: Path) -> int:
    """Return the newest Bytewax epoch that is committed in all databases of a folder; 0 before the first commit.

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    return min(_commits(recovery), default=0)


def is_consistent(recovery: Path) -> bool:
    """Return True if the databases, copied one after the other, surely fit together.

    Bytewax refuses a database that is newer than the start of a resume, and not one that is older: it reads the start
    from the databases with the frontiers of the workers, and any other may lack the newest states. A commit follows
    the states of its Bytewax epoch in all databases. So all must have the commit right before the start of the resume.

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    executions: dict[int, tuple[int, int]] = {}
    frontiers: dict[int, dict[int, int]] = {}
    for path in _databases(recovery):
        with _opened(path) as database:
            for number, workers, resumed in database.execute("SELECT ex_num, worker_count, resume_epoch FROM exs"):
                executions[number] = workers, resumed
            for number, worker, start in database.execute("SELECT ex_num, worker_index, worker_frontier FROM fronts"):
                frontiers.setdefault(number, {})[worker] = start
    newest = max(executions.keys() | frontiers.keys(), default=None)
    if newest is None:
        return not any(_commits(recovery))  # no run has begun
    workers, resumed = executions.get(newest, (0, 0))
    found = frontiers.get(newest, {})
    starts = {min(found.values())} if found else set()
    if len(found) < workers:
        starts.add(resumed)
    return workers > 0 and {commit + 1 for commit in _commits(recovery)} == starts


def copy_store(recovery: Path, copy: Path) -> None:
    """Copy each database as of one moment, also while Bytewax writes (https://sqlite.org/backup.html).

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    copy.mkdir()
    for path in _databases(recovery):
        with _opened(path) as database, _opened(copy / path.name, "rwc") as target:
            database.backup(target)


def delete_positions(recovery: Path) -> None:
    """Delete the positions of the source, for a run that reads another one.

    Bytewax resumes no source that lacks a part of the store, and its interface has no way to delete one.

    Raises:
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    for path in _databases(recovery):
        with _opened(path, "rw") as database, database:
            database.execute("DELETE FROM snaps WHERE step_id = ?", (_SOURCE_STEP,))


def run_over_store(flow: Dataflow, recovery: Path) -> None:
    """Run a dataflow in this process to its end, with the states of the store.

    Bytewax raises its own errors for a damaged store, also a panic, which is no `Exception`.
    """
    cli_main(
        flow,
        workers_per_process=1,
        process_id=0,
        addresses=["127.0.0.1:0"],
        epoch_interval=timedelta(0),
        recovery_config=RecoveryConfig(recovery),
    )


def run_keyed_steps(recovery: Path, items: Mapping[str, Sequence[Item]], build: Mapping[str, Build]) -> None:
    """Run keyed steps over items, with the states of the store, which then has their new states.

    The source is another one than that of a run, so the positions in the store stay. Errors as `run_over_store`.

    Args:
        recovery: the store.
        items: step → items with their keys.
        build: step → state of a key, or None → logic of the key.
    """
    flow = Dataflow(FLOW_ID)
    for step, keyed in items.items():
        stream = op.input(f"items_{step}", flow, _Items(keyed))
        op.output(f"no_output_{step}", op.stateful_batch(step, stream, build[step]), NullSink())
    run_over_store(flow, recovery)


class _Items(DynamicSource[Item], StatelessSourcePartition[Item]):
    """A source of one batch."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Items":  # noqa: ARG002  Bytewax passes all
        return self

    def next_batch(self) -> Sequence[Item]:
        if not self._items:
            raise StopIteration
        items, self._items = self._items, []
        return items


def _commits(recovery: Path) -> list[int]:
    """Return the newest committed Bytewax epoch of each database; 0 before the first commit."""
    found = []
    for path in _databases(recovery):
        with _opened(path) as database:
            (commit,) = database.execute("SELECT max(commit_epoch) FROM commits").fetchone()
        found.append(commit or 0)
    return found


def _databases(recovery: Path) -> list[Path]:
    return sorted(recovery.glob("*.sqlite3"))


@contextmanager
def _opened(path: Path, mode: str = "ro") -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True)) as database:
            yield database
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGES:
            raise StateError(
                f"{path.parent} is damaged: {path.name}: {error}; restore the whole state folder from a backup, or "
                "give another"
            ) from error
        raise storage_error(str(path), str(error)) from error
