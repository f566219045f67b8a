"""A state folder's people from outside: the newest checkpoints, read while workers go on making others.

Nothing is written into the folder, where a foreign file would be damage: a checkpoint is read through a temporary
folder, with links to its tables and a copy of the little else (rocksdict writes into whatever it opens, even to read).
A worker may delete a checkpoint while it is being opened: then there is a newer one. Once it is open all its files are.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from rocksdict import Rdict

from state.catalogue.numbered import NumberedCatalogue
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import MANIFEST_FILE, TABLE, Manifest, ManifestFile, read_manifest, write_manifest_file
from state.storage.rocksdb import RocksDatabase, error_of, storage_error
from state.storage.shards import shard_of
from state.user import codec
from state.user.user_state import UserState
from tacit.errors import TacitError


class Checkpoint(NamedTuple):
    """A checkpoint that was whole when it was looked at."""

    path: Path
    manifest: Manifest
    made_ms: int
    """When it was sealed, by the clock of the file system."""


class Reading:
    """One checkpoint, open to be read."""

    def __init__(self, database: Rdict, checkpoint: Checkpoint, catalogue: NumberedCatalogue) -> None:
        self._database = database
        self._catalogue = catalogue
        self.checkpoint = checkpoint

    def get(self, user: bytes) -> UserState | None:
        """Return a copy of a person's state, or None for someone not known."""
        with _said(self.checkpoint):
            packed = self._database.get(user)
        return None if packed is None else codec.unpack(packed, self._catalogue)

    def __iter__(self) -> Iterator[tuple[bytes, UserState]]:
        """Go through copies of everybody's state, by digest."""
        at = self._database.iter()
        with _said(self.checkpoint):
            at.seek_to_first()
            while at.valid():
                yield cast("bytes", at.key()), codec.unpack(cast("bytes", at.value()), self._catalogue)
                at.next()
            at.status()  # raises if it was damage that ended it


class CheckpointReader:
    """The shards of a state folder, each as its newest checkpoint has it.

    That one may be a moment from being committed; what is in it was read from the source all the same.

    Errors: StateError for a checkpoint that is damaged, StorageError for a disk that fails.
    """

    def __init__(self, folder: Path, shards: int, catalogue: NumberedCatalogue) -> None:
        """`folder` is where the shards are, `catalogue` has the folder's numbers."""
        self._folder = folder.absolute()
        self._shards = shards
        self._catalogue = catalogue
        self._rocks = RocksDatabase(1)

    def shards(self) -> list[int]:
        """Return the shards that have a checkpoint."""
        return [checkpoint.manifest.shard for checkpoint in self.checkpoints()]

    def checkpoints(self) -> list[Checkpoint]:
        """Return the newest checkpoint of each shard that has one."""
        return newest_checkpoints(self._folder, self._shards)

    @contextmanager
    def open(self, shard: int) -> Iterator[Reading | None]:
        """Open a shard's newest checkpoint; None if there is none."""
        with TemporaryDirectory(prefix="tacit-shelf-") as place:
            opened = self._open(shard, Path(place))
            if opened is None:
                yield None
                return
            database, checkpoint = opened
            try:
                yield Reading(database, checkpoint, self._catalogue)
            finally:
                database.close()

    def get(self, user: bytes) -> tuple[UserState | None, Checkpoint | None]:
        """Return a copy of a person's state, and the checkpoint it would be in."""
        with self.open(shard_of(user, self._shards)) as reading:
            return (reading.get(user), reading.checkpoint) if reading else (None, None)

    def _open(self, shard: int, place: Path) -> tuple[Rdict, Checkpoint] | None:
        while checkpoint := newest_checkpoint(self._folder, shard):
            copy = place / checkpoint.path.name
            try:
                with _said(checkpoint):
                    _borrow(checkpoint, copy)
                    return self._rocks.open_read_only(copy), checkpoint
            except TacitError:
                if (checkpoint.path / MANIFEST_FILE).exists():
                    raise
                shutil.rmtree(copy)
        return None


def newest_checkpoints(folder: Path, shards: int) -> list[Checkpoint]:
    """Return the newest whole checkpoint of each shard that has one; StateError as `newest_checkpoint`."""
    found = (newest_checkpoint(folder, shard) for shard in range(shards))
    return [checkpoint for checkpoint in found if checkpoint]


def newest_checkpoint(folder: Path, shard: int) -> Checkpoint | None:
    """Return a shard's newest whole checkpoint; None if it has none.

    Raises:
        StateError: there is none left where one was committed.
    """
    looked_at: list[str] = []
    shard_folder = ShardFolder(folder, shard)
    while (names := shard_folder.names()) != looked_at:  # else all that there were may have been deleted meanwhile
        for name in reversed(names):
            if checkpoint := _checkpoint(shard_folder.path / name):
                return checkpoint
        looked_at = names
    if shard_folder.is_committed:
        raise shard_folder.damaged("of its last epoch", f"it, or its {MANIFEST_FILE}, is missing")
    return None


def _checkpoint(path: Path) -> Checkpoint | None:
    manifest = read_manifest(path)
    try:
        return Checkpoint(path, manifest, (path / MANIFEST_FILE).stat().st_mtime_ns // 1_000_000) if manifest else None
    except FileNotFoundError:
        return None


def _borrow(checkpoint: Checkpoint, copy: Path) -> None:
    """Make a copy to read: tables by links, of which RocksDB checks what it reads; the rest is looked through here."""
    copy.mkdir()
    for name, sealed in checkpoint.manifest.files.items():
        if problem := _problem(checkpoint.path / name, copy / name, sealed):
            folder = ShardFolder(checkpoint.path.parent.parent, checkpoint.manifest.shard)
            raise folder.damaged(checkpoint.path.name, f"{name} {problem}")


def _problem(file: Path, copy: Path, sealed: ManifestFile) -> str | None:
    try:
        if file.suffix != TABLE:
            shutil.copyfile(file, copy)
            return None if write_manifest_file(copy) == sealed else "has other bytes than were written"
        copy.symlink_to(file)
        size = file.stat().st_size
        return None if size == sealed.size else f"has {size:,} bytes instead of {sealed.size:,}"
    except FileNotFoundError:
        return "is missing"


@contextmanager
def _said(checkpoint: Checkpoint) -> Iterator[None]:
    """Make what RocksDB or the disk raises an error of ours; RocksDB's has no type of its own."""
    shard, name = checkpoint.path.parent, checkpoint.path.name
    where = f"shard {checkpoint.manifest.shard}: checkpoint {name} in {shard}"
    try:
        yield
    except OSError as broken:
        raise storage_error(where, broken.strerror or str(broken)) from broken
    except Exception as broken:
        if type(broken) is Exception:
            raise error_of(broken, where) from broken
        raise
