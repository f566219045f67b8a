"""State folder: identity, lock and layout.

DIR/tacit.json       identity: format, shards, region, namespace, source; a run must have the same
DIR/vocabulary.json  number of each catalogue name in users' states; grows with the catalogue
DIR/population.json  newest population version of this folder, as published
DIR/population-first.json  population version with which training started, if any
DIR/rotation.json    move to another secret that has begun (dataflows/rotation); no run starts before its end
DIR/run.lock         lock of the run that uses the folder
DIR/recovery/        recovery store of Bytewax: source positions, and a token per shard
DIR/shards/          users' states, and the checkpoints of the tokens (state/storage/checkpoint_folder.py)
"""

import fcntl
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from bytewax.recovery import init_db_dir
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.durable import sync, write_file
from state.errors import StateError
from tacit.contract.pseudonyms import IdComparison

FORMAT = 6
READABLE_FORMATS = (3, 4, 5, FORMAT)
"""Formats that a run resumes from; the first run of this version makes a folder one of `FORMAT`."""
DESCRIPTION = "tacit.json"
VOCABULARY = "vocabulary.json"
RUN_LOCK = "run.lock"
ROTATION = "rotation.json"
RECOVERY = "recovery"
SHARDS = "shards"
_PARTITIONS = 4
"""Number of recovery partitions, fixed for a folder; the processes divide them."""


class Identity(msgspec.Struct, frozen=True):
    """Settings that are fixed for a state folder."""

    shards: int
    region: str
    namespace: str
    source: str
    secret: str
    """Fingerprint of the secret; another secret gives other pseudonyms, and finds no user."""
    format: int = FORMAT
    identity: IdComparison = "exact"
    """Comparison of user ids, by the catalogue; another one gives other pseudonyms."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """State folder, locked by a run."""

    path: Path
    execution: str
    """Name of this run in the folder."""
    vocabulary: Vocabulary

    @property
    def recovery(self) -> Path:
        """Folder of Bytewax's recovery store."""
        return self.path / RECOVERY

    @property
    def shards(self) -> Path:
        """Folder of the users' states."""
        return self.path / SHARDS


@contextmanager
def locked(folder: Path, identity: Identity, catalogue: NumberedCatalogue) -> Iterator[StateFolder]:
    """Lock the folder for one run; create a new folder, and number new names of the catalogue.

    The lock precedes Bytewax: a second run on the same recovery store could make the store unusable.

    Raises:
        StateError: another run uses the folder, or the folder has another identity.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _lock(folder, stack)
            _require_no_rotation(folder)
            if not (folder / DESCRIPTION).exists():
                _create(folder, identity, catalogue)
            _check(folder, identity)
            _upgrade(folder)
            _delete_working_folders(folder)
            vocabulary = _add_names(folder, catalogue)
        except OSError as error:
            raise StateError(
                f"the state folder {folder} cannot be used: {error.strerror}; "
                "make it writable, make room, or give another"
            ) from error
        yield StateFolder(folder, secrets.token_hex(4), vocabulary)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a used folder against runs.

    Raises:
        StateError: a run uses the folder.
    """
    with ExitStack() as stack:
        _lock(folder, stack)
        yield


def _lock(folder: Path, stack: ExitStack) -> None:
    lock = stack.enter_context((folder / RUN_LOCK).open("a"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateError(f"another run uses the state folder {folder}: stop it first, or give another") from None


def _require_no_rotation(folder: Path) -> None:
    if (folder / ROTATION).exists():
        raise StateError(
            f"the state folder {folder} is between two secrets: complete the move by tacit state rotate-secret, "
            "with the same two secrets"
        )


def write_identity(folder: Path, identity: Identity) -> None:
    """Replace the description of a folder."""
    write_file(folder / DESCRIPTION, _as_json(identity))


def _check(folder: Path, identity: Identity) -> None:
    """Check that the folder has the identity of the run, and a recovery store."""
    if differences := identity_differences(folder, identity):
        raise StateError(
            f"the state folder {folder} was made for {'; '.join(differences)}: run with that, or give another folder"
        )
    if not (folder / RECOVERY).is_dir():
        raise StateError(f"{folder / RECOVERY} is missing: restore the folder from a backup, or give another")


def _upgrade(folder: Path) -> None:
    """Make a folder of an older format one of `FORMAT`: older versions must not read the output of this run.

    Users' states keep their layout until their next event.
    """
    found = read_identity(folder)
    if found.format != FORMAT:
        write_file(folder / DESCRIPTION, _as_json(replace(found, format=FORMAT)))


def _delete_working_folders(folder: Path) -> None:
    """Delete the working folders of killed runs; a shard without events would not be opened again."""
    for work in (folder / SHARDS).glob("*/work-*"):
        shutil.rmtree(work)


def read_identity(folder: Path) -> Identity:
    """Return the identity of a used folder.

    Raises:
        StateError: the description cannot be read.
    """
    description = folder / DESCRIPTION
    try:
        return msgspec.json.decode(description.read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(
            f"{description} cannot be read: {error}; restore it from a backup, or give another folder"
        ) from error


def read_vocabulary(folder: Path) -> Vocabulary:
    """Return the numbered names of a folder.

    Raises:
        StateError: the vocabulary cannot be read.
    """
    path = folder / VOCABULARY
    try:
        vocabulary = msgspec.json.decode(path.read_bytes(), type=Vocabulary)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(f"{path} cannot be read: {error}; restore it from a backup, or give another folder") from error
    vocabulary.check()
    return vocabulary


def _add_names(folder: Path, catalogue: NumberedCatalogue) -> Vocabulary:
    """Return the vocabulary of the folder with the names of the catalogue, stored durably."""
    before = read_vocabulary(folder)
    vocabulary = before.including(catalogue)
    if vocabulary is not before:
        write_file(folder / VOCABULARY, _as_json(vocabulary))
    return vocabulary


def _as_json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value))


def identity_differences(folder: Path, identity: Identity) -> list[str]:
    """Return the differences between the identity of a used folder and `identity`, as text.

    Raises:
        StateError: the description cannot be read.
    """
    found = read_identity(folder)
    return [
        f"{name} {theirs!r}, not {ours!r}"
        for name in Identity.__struct_fields__
        if not (name == "format" and found.format in READABLE_FORMATS)
        if (theirs := getattr(found, name)) != (ours := getattr(identity, name))
    ]


def _create(folder: Path, identity: Identity, catalogue: NumberedCatalogue) -> None:
    """Create the recovery store, the vocabulary and, last, the description: a folder with a description is complete.

    After a crash at any step, the next start repeats or completes the creation.
    """
    recovery, unfinished = folder / RECOVERY, folder / "recovery.new"
    description = folder / "tacit.json.new"
    if not recovery.exists():
        unfinished.mkdir(exist_ok=True)
        for leftover in unfinished.iterdir():
            leftover.unlink()
        init_db_dir(unfinished, _PARTITIONS)
        write_file(description, _as_json(identity))
        unfinished.rename(recovery)
    if not description.exists():
        raise StateError(
            f"{folder} is damaged, its tacit.json is gone: restore it from a backup, or give another folder"
        )
    if not (folder / VOCABULARY).exists():
        write_file(folder / VOCABULARY, _as_json(Vocabulary().including(catalogue)))
    description.rename(folder / DESCRIPTION)
    sync(folder)
