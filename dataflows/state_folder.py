"""State folder: identity, lock and layout.

DIR/tacit.json       identity: format, shards, region, namespace, source; a run must have the same
DIR/id               id of the folder, which its copies share; Redis keeps the id with a namespace
DIR/vocabulary.json  number of each catalogue name in users' states; grows with the catalogue
DIR/population.json  newest population version of this folder, as published
DIR/population-first.json  population version with which training started, if any
DIR/inputs.json      files or topics that a replay has read (connectors/files/remembered.py)
DIR/redis.json       Redis with all signals of the folder (dataflows/known_redis.py)
DIR/starting-over    deletion of an earlier replay's state that has begun; the next run ends it
DIR/rotation.json    move to another secret that has begun (dataflows/rotation); no run starts before its end
DIR/run.lock         lock of the run that uses the folder
DIR/line.json        line of the state on the hosts of a cluster (dataflows/hosts/line.py)
DIR/fence.json       fencing number and last cut of a run with checkpoints in object storage (dataflows/cuts)
DIR/fetching         a fetch of a cut that has begun; the next one begins again
DIR/fetched.json     cut from which shards get their tables (dataflows/cuts/fetch.py)
DIR/cut/             files of a cut that is uploaded; worthless without a run
DIR/recovery/        recovery store of Bytewax: source positions, and a token per shard
DIR/shards/          users' states, and the checkpoints of the tokens (state/storage/checkpoint_folder.py)
"""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from bytewax.recovery import init_db_dir
from msgspec.structs import replace

from connectors.files.remembered import INPUTS
from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.durable import Document, read_document, sync, write_document, write_file
from state.errors import StateError
from state.storage.rocksdb import storage_error
from tacit.contract.pseudonyms import IdComparison

FORMAT = 7
READABLE_FORMATS = (3, 4, 5, 6, FORMAT)
"""Formats that a run resumes from; the first run of this version makes a folder one of `FORMAT`."""
DESCRIPTION = "tacit.json"
VOCABULARY = "vocabulary.json"
FOLDER_ID = "id"
RUN_LOCK = "run.lock"
ROTATION = "rotation.json"
STARTING_OVER = "starting-over"
RECOVERY = "recovery"
SHARDS = "shards"
CUT = "cut"
FETCHING = "fetching"
FETCHED = "fetched.json"
FENCE = "fence.json"
LINE = "line.json"
_OWN = (
    DESCRIPTION, f"{DESCRIPTION}.new", VOCABULARY, RECOVERY, "recovery.new", SHARDS, INPUTS,
    "population.json", "population-first.json", "population-number", "replay", "redis.json", CUT, FENCE, FETCHED, LINE,
)  # fmt: skip
"""Files and folders of a run's state; others' files in the folder stay."""
ROOT_FILES = (
    DESCRIPTION, VOCABULARY, FOLDER_ID, "population.json", "population-first.json", "population-number", "redis.json",
    "handover.json", "seam",
)  # fmt: skip
"""Files of a live run next to recovery store and shards."""
REMEDY = "run with that, or give another folder"
LEAST_FREE_BYTES = 1024 * 1024
"""Free space below which the disk of a folder counts as full."""
_PARTITIONS = 4
"""Least number of recovery partitions, which is fixed for a folder; processes and hosts divide them."""


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
    id: str
    """Id of the folder; its copies have the same."""

    @property
    def is_empty(self) -> bool:
        """True while the folder has no checkpoint of any user."""
        return has_no_users(self.path)

    @property
    def lock(self) -> Path:
        """File that the run has locked."""
        return self.path / RUN_LOCK

    @property
    def recovery(self) -> Path:
        """Folder of Bytewax's recovery store."""
        return self.path / RECOVERY

    @property
    def shards(self) -> Path:
        """Folder of the users' states."""
        return self.path / SHARDS


@contextmanager
def locked(
    folder: Path,
    identity: Identity,
    catalogue: NumberedCatalogue,
    *,
    again: bool = False,
    remedy: str = REMEDY,
    share: tuple[int, int] = (0, 1),
) -> Iterator[StateFolder]:
    """Lock the folder for one run; create a new folder, and number new names of the catalogue.

    With `again`, a used folder begins empty. `remedy` ends the error of a folder with another identity. `share` is the
    number of this host, and the number of hosts: each has a part of the recovery store.

    The lock precedes Bytewax: a second run on the same recovery store could make the store unusable.

    Raises:
        StateError: another run uses the folder, or the folder has another identity.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _lock(folder, stack)
            _require_no_rotation(folder)
            _require_whole(folder)
            _start_over(folder, again=again)
            if not (folder / DESCRIPTION).exists():
                _create(folder, identity, catalogue, share)
            _check(folder, identity, remedy)
            _upgrade(folder)
            _delete_working_folders(folder)
            vocabulary = _add_names(folder, catalogue)
            folder_id = read_folder_id(folder) or write_folder_id(folder, secrets.token_hex(8))
        except OSError as error:
            raise StateError(
                f"the state folder {folder} cannot be used: {error.strerror}; "
                "make it writable, make room, or give another"
            ) from error
        yield StateFolder(folder, secrets.token_hex(4), vocabulary, folder_id)


def is_full(folder: Path) -> bool:
    """Return whether the disk of a folder is full."""
    return shutil.disk_usage(folder).free < LEAST_FREE_BYTES


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a used folder against runs.

    Raises:
        StateError: a run uses the folder.
    """
    with ExitStack() as stack:
        _lock(folder, stack)
        yield


def is_in_use(folder: Path) -> bool:
    """Return whether a run uses the folder, without a change to the folder."""
    try:
        with (folder / RUN_LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no run has used the folder, or its files are not readable
        return False
    return False


def _lock(folder: Path, stack: ExitStack) -> None:
    lock = stack.enter_context((folder / RUN_LOCK).open("a"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateError(f"another run uses the state folder {folder}: stop it first, or give another") from None


def read_folder_id(folder: Path) -> str:
    """Return the id of a folder; empty for a folder that no run of this version has used."""
    path = folder / FOLDER_ID
    return path.read_text(encoding="ascii").strip() if path.is_file() else ""


def has_no_users(folder: Path) -> bool:
    """Return True for a folder without a checkpoint of any user, or for none at all."""
    return next((folder / SHARDS).glob("*/c*"), None) is None


def store_document(folder: Path, name: str, document: msgspec.Struct) -> None:
    """Write a document into a state folder, which is created.

    Raises:
        StorageError: the disk is full or fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_document(folder / name, document)
    except OSError as error:
        raise storage_error(str(folder / name), error.strerror or str(error)) from error


def write_folder_id(folder: Path, created: str) -> str:
    """Give a folder an id, and return it.

    Raises:
        OSError: the disk is full or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / FOLDER_ID, f"{created}\n".encode())
    return created


def _require_no_rotation(folder: Path) -> None:
    if (folder / ROTATION).exists():
        raise StateError(
            f"the state folder {folder} is between two secrets: complete the move by tacit state rotate-secret, "
            "with the same two secrets"
        )


def _require_whole(folder: Path) -> None:
    if (folder / FETCHING).exists():
        raise StateError(
            f"the state folder {folder} is incomplete, as the fetch of a cut did not end: run with the same "
            "--checkpoints, which fetches it again, or give another folder"
        )


def start_over(folder: Path) -> None:
    """Delete the state in a folder that no run uses, but for its id; the folder need not exist.

    Raises:
        StateError: a run uses the folder, or its files cannot be deleted.
    """
    try:
        if (folder / DESCRIPTION).exists():
            with exclusive(folder):
                _start_over(folder, again=True)
    except OSError as error:
        raise StateError(f"the state in {folder} cannot be deleted: {error.strerror}; make it writable") from error


def _start_over(folder: Path, *, again: bool) -> None:
    """Delete the state of an earlier run; after a crash at any step, the next run completes the deletion."""
    marker = folder / STARTING_OVER
    if again and (folder / DESCRIPTION).exists():
        write_file(marker, b"")
    if not marker.exists():
        return
    for name in _OWN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    sync(folder)
    marker.unlink()


def is_of_host(database: str, host: int, hosts: int) -> bool:
    """Return True if a host has a database of the recovery store.

    >>> [is_of_host(f"part-{number}.sqlite3", 1, 3) for number in range(5)]
    [False, True, False, False, True]
    """
    return int(database.removeprefix("part-").partition(".")[0]) % hosts == host


def write_identity(folder: Path, identity: Identity) -> None:
    """Replace the description of a folder."""
    write_document(folder / DESCRIPTION, identity)


def _check(folder: Path, identity: Identity, remedy: str) -> None:
    """Check that the folder has the identity of the run, and a recovery store."""
    if differences := identity_differences(folder, identity):
        raise StateError(f"the state folder {folder} was made for {'; '.join(differences)}: {remedy}")
    if not (folder / RECOVERY).is_dir():
        raise StateError(f"{folder / RECOVERY} is missing: restore the folder from a backup, or give another")


def _upgrade(folder: Path) -> None:
    """Make a folder of an older format one of `FORMAT`: older versions must not read the output of this run.

    Users' states keep their layout until their next event.
    """
    found = read_identity(folder)
    if found.format != FORMAT:
        write_document(folder / DESCRIPTION, replace(found, format=FORMAT))


def _delete_working_folders(folder: Path) -> None:
    """Delete the working folders of killed runs; a shard without events would not be opened again."""
    for work in (folder / SHARDS).glob("*/work-*"):
        shutil.rmtree(work)


def read_identity(folder: Path) -> Identity:
    """Return the identity of a used folder.

    Raises:
        StateError: the description cannot be read.
    """
    return _read(folder / DESCRIPTION, Identity)


def read_vocabulary(folder: Path) -> Vocabulary:
    """Return the numbered names of a folder.

    Raises:
        StateError: the vocabulary cannot be read.
    """
    vocabulary = _read(folder / VOCABULARY, Vocabulary)
    vocabulary.check()
    return vocabulary


def _read(path: Path, kind: type[Document]) -> Document:
    remedy = "restore it from a backup, or give another folder"
    found = read_document(path, kind, remedy)
    if found is None:
        raise StateError(f"{path} cannot be read: there is no such file; {remedy}")
    return found


def _add_names(folder: Path, catalogue: NumberedCatalogue) -> Vocabulary:
    """Return the vocabulary of the folder with the names of the catalogue, stored durably."""
    before = read_vocabulary(folder)
    vocabulary = before.including(catalogue)
    if vocabulary is not before:
        write_document(folder / VOCABULARY, vocabulary)
    return vocabulary


def identity_differences(folder: Path, identity: Identity) -> list[str]:
    """Return the differences between the identity of a used folder and `identity`, as text.

    Raises:
        StateError: the description cannot be read.
    """
    return identity_problems(read_identity(folder), identity)


def identity_problems(found: Identity, identity: Identity) -> list[str]:
    """Return the differences between the identity of a state and `identity`, as text."""
    return [
        f"{name} {theirs!r}, not {ours!r}"
        for name in Identity.__struct_fields__
        if not (name == "format" and found.format in READABLE_FORMATS)
        if (theirs := getattr(found, name)) != (ours := getattr(identity, name))
    ]


def _create(folder: Path, identity: Identity, catalogue: NumberedCatalogue, share: tuple[int, int]) -> None:
    """Create the recovery store, the vocabulary and, last, the description: a folder with a description is complete.

    After a crash at any step, the next start repeats or completes the creation.
    """
    if is_full(folder):  # the store's library panics on a full disk
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    recovery, unfinished = folder / RECOVERY, folder / "recovery.new"
    description = folder / "tacit.json.new"
    if not recovery.exists():
        unfinished.mkdir(exist_ok=True)
        for leftover in unfinished.iterdir():
            leftover.unlink()
        host, hosts = share
        init_db_dir(unfinished, max(_PARTITIONS, hosts))
        for path in unfinished.iterdir():
            if not is_of_host(path.name, host, hosts):
                path.unlink()
        write_document(description, identity)
        unfinished.rename(recovery)
    if not description.exists():
        raise StateError(
            f"{folder} is damaged, its tacit.json is gone: restore it from a backup, or give another folder"
        )
    if not (folder / VOCABULARY).exists():
        write_document(folder / VOCABULARY, Vocabulary().including(catalogue))
    description.rename(folder / DESCRIPTION)
    sync(folder)
