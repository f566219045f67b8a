"""Reading of the newest checkpoints of a state folder while workers make others.

The reader writes nothing into the state folder, where a foreign file counts as damage. rocksdict writes into every
folder it opens, even read-only. So a checkpoint is opened in a temporary folder with links to its tables and copies of
the other files. A worker may delete a checkpoint while the reader opens it; then a newer checkpoint exists. All files
of an open checkpoint are open, so a later deletion is harmless.
"""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from rocksdict import Rdict

from state.catalogue.numbered import NumberedCatalogue
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import MANIFEST_FILE, TABLE, Manifest, ManifestFile, manifest_file, read_manifest
from state.storage.rocksdb import RocksDatabase, translated
from state.storage.shards import shard_of
from state.temporary import temporary_folder
from state.user import codec
from state.user.user_state import UserState
from tacit.errors import TacitError


class Checkpoint(NamedTuple):
    """A checkpoint that was complete when it was found."""

    path: Path
    manifest: Manifest
    made_ms: int
    """Time of its manifest, epoch milliseconds by the clock of the file system."""


class OpenCheckpoint:
    """One checkpoint, open for reading."""

    def __init__(self, database: Rdict, checkpoint: Checkpoint, catalogue: NumberedCatalogue) -> None:
        self._database = database
        self._catalogue = catalogue
        self.checkpoint = checkpoint

    def get(self, user: bytes) -> UserState | None:
        """Return a copy of a user's state; None for an unknown user."""
        with _translated(self.checkpoint):
            packed = self._database.get(user)
        return None if packed is None else codec.unpack(packed, self._catalogue)

    def __iter__(self) -> Iterator[tuple[bytes, UserState]]:
        """Iterate over copies of all users' states, by pseudonym."""
        at = self._database.iter()
        with _translated(self.checkpoint):
            at.seek_to_first()
            while at.valid():
                yield cast("bytes", at.key()), codec.unpack(cast("bytes", at.value()), self._catalogue)
                at.next()
            at.status()  # raises if damage ended the iteration


class CheckpointReader:
    """Shards of a state folder, each from its newest checkpoint.

    The newest checkpoint may not be committed yet; its events were read from the source all the same.

    Errors: StateError for a damaged checkpoint, StorageError for a disk that fails.
    """

    def __init__(self, folder: Path, shards: int, catalogue: NumberedCatalogue) -> None:
        """Read shards below `folder`; `catalogue` has the numbers of the state folder."""
        self._folder = folder.absolute()
        self._shards = shards
        self._catalogue = catalogue
        self._rocks = RocksDatabase(1)

    def shards(self) -> list[int]:
        """Return the numbers of the shards with a checkpoint."""
        return [checkpoint.manifest.shard for checkpoint in self.checkpoints()]

    def checkpoints(self) -> list[Checkpoint]:
        """Return the newest checkpoint of each shard with a checkpoint."""
        return newest_checkpoints(self._folder, self._shards)

    @contextmanager
    def open(self, shard: int) -> Iterator[OpenCheckpoint | None]:
        """Open the newest checkpoint of a shard; None without a checkpoint."""
        with temporary_folder("tacit-checkpoint-") as folder:
            opened = self._open(shard, folder)
            if opened is None:
                yield None
                return
            database, checkpoint = opened
            try:
                yield OpenCheckpoint(database, checkpoint, self._catalogue)
            finally:
                database.close()

    def get(self, user: bytes) -> tuple[UserState | None, Checkpoint | None]:
        """Return a copy of a user's state, if known, and the checkpoint of the user's shard."""
        with self.open(shard_of(user, self._shards)) as reading:
            return (reading.get(user), reading.checkpoint) if reading else (None, None)

    def _open(self, shard: int, folder: Path) -> tuple[Rdict, Checkpoint] | None:
        while checkpoint := newest_checkpoint(self._folder, shard):
            copy = folder / checkpoint.path.name
            try:
                with _translated(checkpoint):
                    link(checkpoint, copy)
                    return self._rocks.open_read_only(copy), checkpoint
            except TacitError:
                if (checkpoint.path / MANIFEST_FILE).exists():
                    raise
                shutil.rmtree(copy)
        return None


def newest_checkpoints(folder: Path, shards: int) -> list[Checkpoint]:
    """Return the newest complete checkpoint of each shard with one; errors as `newest_checkpoint`."""
    found = (newest_checkpoint(folder, shard) for shard in range(shards))
    return [checkpoint for checkpoint in found if checkpoint]


def newest_checkpoint(folder: Path, shard: int) -> Checkpoint | None:
    """Return the newest complete checkpoint of a shard; None for a shard without a checkpoint.

    Raises:
        StateError: the shard had a committed checkpoint, and none is complete.
    """
    looked_at: list[str] = []
    shard_folder = ShardFolder(folder, shard)
    while (names := shard_folder.names()) != looked_at:  # otherwise a worker may have deleted the listed ones
        for name in reversed(names):
            if checkpoint := _checkpoint(shard_folder.path / name):
                return checkpoint
        looked_at = names
    if shard_folder.is_committed:
        raise shard_folder.damaged("of its last commit", f"it, or its {MANIFEST_FILE}, is missing")
    return None


def _checkpoint(path: Path) -> Checkpoint | None:
    manifest = read_manifest(path)
    try:
        return Checkpoint(path, manifest, (path / MANIFEST_FILE).stat().st_mtime_ns // 1_000_000) if manifest else None
    except FileNotFoundError:
        return None


def link(checkpoint: Checkpoint, copy: Path) -> None:
    """Link the tables, whose blocks RocksDB checks while reading, and copy and check the other files."""
    copy.mkdir()
    for name, expected in checkpoint.manifest.files.items():
        if problem := _problem(checkpoint.path / name, copy / name, expected):
            folder = ShardFolder(checkpoint.path.parent.parent, checkpoint.manifest.shard)
            raise folder.damaged(checkpoint.path.name, f"{name} {problem}")


def _problem(file: Path, copy: Path, expected: ManifestFile) -> str | None:
    try:
        if file.suffix != TABLE:
            shutil.copyfile(file, copy)
            return None if manifest_file(copy) == expected else "has other bytes than were written"
        copy.symlink_to(file)
        size = file.stat().st_size
        return None if size == expected.size else f"has {size:,} bytes instead of {expected.size:,}"
    except FileNotFoundError:
        return "is missing"


def _translated(checkpoint: Checkpoint) -> AbstractContextManager[None]:
    shard, name = checkpoint.path.parent, checkpoint.path.name
    return translated(lambda: f"shard {checkpoint.manifest.shard}: checkpoint {name} in {shard}")
