"""The state folder: whose it is, what it was made for, and where Bytewax keeps its recovery store in it.

DIR/tacit.json    format, shards, region, namespace: what a run must agree with
DIR/run.lock      held by the run that uses the folder
DIR/recovery/     Bytewax's snapshots of shards and source positions
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from bytewax.recovery import init_db_dir

from state.errors import StateError

FORMAT = 1
DESCRIPTION = "tacit.json"
_PARTITIONS = 4
"""Recovery partitions: fixed for a folder; processes share them out."""


class Identity(msgspec.Struct, frozen=True):
    """What a folder was made for."""

    shards: int
    region: str
    namespace: str
    source: str
    secret: str
    """Fingerprint of what pseudonyms are made with: under another secret everybody would be a stranger."""
    format: int = FORMAT


@contextmanager
def locked(folder: Path, identity: Identity) -> Iterator[Path]:
    """Hold the folder for one run, making it if it is new, and give the recovery store's path.

    The lock comes before Bytewax opens anything: a second run on the same store could leave it refused for ever.

    Raises:
        StateError: if another run holds the folder, or it was made for something else.
    """
    recovery = folder / "recovery"
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / "run.lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _agree(folder, recovery, identity)
        except BlockingIOError:
            raise StateError(f"another run uses the state folder {folder}: stop it first, or give another") from None
        except OSError as error:
            raise StateError(
                f"the state folder {folder} cannot be used: {error.strerror}; "
                "make it writable, make room, or give another"
            ) from error
        yield recovery


def _agree(folder: Path, recovery: Path, identity: Identity) -> None:
    description = folder / DESCRIPTION
    if not description.exists():
        _make(folder, recovery, identity)
    if differences := differing(folder, identity):
        raise StateError(
            f"the state folder {folder} was made for {'; '.join(differences)}: run with that, or give another folder"
        )
    if not recovery.is_dir():
        raise StateError(f"{recovery} is missing: restore the folder from a backup, or give another")


def differing(folder: Path, identity: Identity) -> list[str]:
    """Return in words what a used folder was made for and `identity` is not.

    Raises:
        StateError: if the folder does not say.
    """
    description = folder / DESCRIPTION
    try:
        found = msgspec.json.decode(description.read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(
            f"{description} cannot be read: {error}; restore it from a backup, or give another folder"
        ) from error
    return [
        f"{name} {theirs!r}, not {ours!r}"
        for name in Identity.__struct_fields__
        if (theirs := getattr(found, name)) != (ours := getattr(identity, name))
    ]


def _make(folder: Path, recovery: Path, identity: Identity) -> None:
    """Make the store and its description, which comes last: a folder that has one is complete.

    A crash at any step leaves what the next start begins again or completes.
    """
    making, description = folder / "recovery.new", folder / "tacit.json.new"
    if not recovery.exists():
        making.mkdir(exist_ok=True)
        for leftover in making.iterdir():
            leftover.unlink()
        init_db_dir(making, _PARTITIONS)
        description.write_bytes(msgspec.json.format(msgspec.json.encode(identity)))
        making.rename(recovery)
    if not description.exists():
        raise StateError(
            f"{folder} is damaged, its tacit.json is gone: restore it from a backup, or give another folder"
        )
    description.rename(folder / DESCRIPTION)
