"""The state folder: whose it is, what it was made for, and where Bytewax keeps its recovery store in it.

DIR/tacit.json    format, shards, region, namespace: what a run must agree with
DIR/run.lock      held by the run that uses the folder
DIR/recovery/     Bytewax's snapshots of shards and source positions
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from bytewax.recovery import init_db_dir

from state.errors import StateError

FORMAT = 1
_PARTITIONS = 4
"""Recovery partitions: fixed for a folder; processes share them out."""


class Identity(msgspec.Struct, frozen=True):
    """What a folder was made for."""

    shards: int
    region: str
    namespace: str
    source: str
    format: int = FORMAT


@contextmanager
def locked(folder: Path, identity: Identity) -> Iterator[Path]:
    """Hold the folder for one run, making it if it is new, and give the recovery store's path.

    The lock comes before Bytewax opens anything: a second run on the same store could leave it refused for ever.

    Raises:
        StateError: if another run holds the folder, or it was made for something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "run.lock").open("a")
    except OSError as error:
        raise StateError(f"the state folder {folder} cannot be used: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"another run uses the state folder {folder}: stop it first, or give another") from None
        recovery = folder / "recovery"
        _agree(folder, recovery, identity)
        yield recovery


def _agree(folder: Path, recovery: Path, identity: Identity) -> None:
    description = folder / "tacit.json"
    if not description.exists():
        _make(folder, recovery, identity)
    try:
        found = msgspec.json.decode(description.read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(f"{description} cannot be read: {error}; restore it from a backup") from error
    differences = [
        f"{name} {theirs!r}, not {ours!r}"
        for name in Identity.__struct_fields__
        if (theirs := getattr(found, name)) != (ours := getattr(identity, name))
    ]
    if differences:
        raise StateError(
            f"the state folder {folder} was made for {'; '.join(differences)}: run with that, or give another folder"
        )
    if not recovery.is_dir():
        raise StateError(f"{recovery} is missing: restore the folder from a backup, or give another")


def _make(folder: Path, recovery: Path, identity: Identity) -> None:
    """Make the store, then the description, whole or not at all: a folder with a description is complete."""
    if recovery.exists():
        raise StateError(
            f"{folder} holds a recovery store without tacit.json, so it was never used or is damaged: remove the folder"
        )
    making = folder / "recovery.new"
    making.mkdir(exist_ok=True)
    for leftover in making.iterdir():
        leftover.unlink()
    init_db_dir(making, _PARTITIONS)
    making.rename(recovery)
    description = folder / "tacit.json.new"
    description.write_bytes(msgspec.json.format(msgspec.json.encode(identity)))
    description.rename(folder / "tacit.json")
