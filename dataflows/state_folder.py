"""The state folder: whose it is, what it was made for, and what is where in it.

DIR/tacit.json       format, shards, region, namespace: what a run must agree with
DIR/vocabulary.json  which number stands for which name in people's state; grows with the catalogue
DIR/population.json  the newest version of what is believed of everybody, as it was published
DIR/population-first.json  the version that learning began with, if there was one
DIR/run.lock         held by the run that uses the folder
DIR/recovery/        Bytewax's store: source positions, and a token per shard
DIR/shards/          people's state, and the checkpoints that the tokens name (state/storage/checkpoint_folder.py)
"""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from bytewax.recovery import init_db_dir

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.durable import sync, write_file
from state.errors import StateError

FORMAT = 3
DESCRIPTION = "tacit.json"
VOCABULARY = "vocabulary.json"
RUN_LOCK = "run.lock"
SHARDS = "shards"
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


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A state folder that a run holds."""

    path: Path
    execution: str
    """Names this run in the folder."""
    vocabulary: Vocabulary

    @property
    def recovery(self) -> Path:
        """Where Bytewax keeps its store."""
        return self.path / "recovery"

    @property
    def shards(self) -> Path:
        """Where people's state is kept."""
        return self.path / SHARDS


@contextmanager
def locked(folder: Path, identity: Identity, catalogue: NumberedCatalogue) -> Iterator[StateFolder]:
    """Hold the folder for one run, making it if it is new; the catalogue's new names get their numbers.

    The lock comes before Bytewax opens anything: a second run on the same store could leave it refused for ever.

    Raises:
        StateError: if another run holds the folder, or it was made for something else.
    """
    recovery = folder / "recovery"
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / RUN_LOCK).open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _agree(folder, recovery, identity, catalogue)
            vocabulary = _grown(folder, catalogue)
        except BlockingIOError:
            raise StateError(f"another run uses the state folder {folder}: stop it first, or give another") from None
        except OSError as error:
            raise StateError(
                f"the state folder {folder} cannot be used: {error.strerror}; "
                "make it writable, make room, or give another"
            ) from error
        yield StateFolder(folder, secrets.token_hex(4), vocabulary)


def _agree(folder: Path, recovery: Path, identity: Identity, catalogue: NumberedCatalogue) -> None:
    description = folder / DESCRIPTION
    if not description.exists():
        _make(folder, recovery, identity, catalogue)
    if differences := differing(folder, identity):
        raise StateError(
            f"the state folder {folder} was made for {'; '.join(differences)}: run with that, or give another folder"
        )
    if not recovery.is_dir():
        raise StateError(f"{recovery} is missing: restore the folder from a backup, or give another")


def read_identity(folder: Path) -> Identity:
    """Return what a used folder was made for.

    Raises:
        StateError: if the folder does not say.
    """
    description = folder / DESCRIPTION
    try:
        return msgspec.json.decode(description.read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(
            f"{description} cannot be read: {error}; restore it from a backup, or give another folder"
        ) from error


def read_vocabulary(folder: Path) -> Vocabulary:
    """Return the names that have a number in this folder.

    Raises:
        StateError: if the folder does not say.
    """
    path = folder / VOCABULARY
    try:
        vocabulary = msgspec.json.decode(path.read_bytes(), type=Vocabulary)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(f"{path} cannot be read: {error}; restore it from a backup, or give another folder") from error
    vocabulary.check()
    return vocabulary


def _grown(folder: Path, catalogue: NumberedCatalogue) -> Vocabulary:
    """Return the folder's vocabulary, the catalogue's names included, durably."""
    before = read_vocabulary(folder)
    vocabulary = before.including(catalogue)
    if vocabulary is not before:
        write_file(folder / VOCABULARY, _as_json(vocabulary))
    return vocabulary


def _as_json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value))


def differing(folder: Path, identity: Identity) -> list[str]:
    """Return in words what a used folder was made for and `identity` is not.

    Raises:
        StateError: if the folder does not say.
    """
    found = read_identity(folder)
    return [
        f"{name} {theirs!r}, not {ours!r}"
        for name in Identity.__struct_fields__
        if (theirs := getattr(found, name)) != (ours := getattr(identity, name))
    ]


def _make(folder: Path, recovery: Path, identity: Identity, catalogue: NumberedCatalogue) -> None:
    """Make the store, the vocabulary and the description, which comes last: a folder that has one is complete.

    A crash at any step leaves what the next start begins again or completes.
    """
    making, description = folder / "recovery.new", folder / "tacit.json.new"
    if not recovery.exists():
        making.mkdir(exist_ok=True)
        for leftover in making.iterdir():
            leftover.unlink()
        init_db_dir(making, _PARTITIONS)
        write_file(description, _as_json(identity))
        making.rename(recovery)
    if not description.exists():
        raise StateError(
            f"{folder} is damaged, its tacit.json is gone: restore it from a backup, or give another folder"
        )
    if not (folder / VOCABULARY).exists():
        write_file(folder / VOCABULARY, _as_json(Vocabulary().including(catalogue)))
    description.rename(folder / DESCRIPTION)
    sync(folder)
