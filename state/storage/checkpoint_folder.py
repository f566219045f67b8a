"""The checkpoints of one shard on disk: names, manifests, verification and deletion.

SHARD/lock                   locked by the process with the open shard
SHARD/committed              exists once the engine has committed a checkpoint of this shard
SHARD/c0000000012-1f3a09bc/  checkpoint 12 of execution 1f3a09bc: RocksDB's files, and the manifest (`SEAL`)
SHARD/work-1f3a09bc/         working files of RocksDB; worthless when the execution has ended
"""

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import msgspec

from state.durable import sync, write_file
from state.errors import StateError
from state.storage.manifest import (
    MANIFEST_FILE,
    TABLE,
    Manifest,
    ManifestFile,
    Token,
    file_names,
    first_problem,
    manifest_file,
    read_manifest,
)

_COMMITTED = "committed"
_UNSYNCED = "rocksdict-config.json"
"""The file that rocksdict adds to a checkpoint; RocksDB flushes the other files to disk itself."""


class ShardFolder:
    """The checkpoints of one shard in one state folder."""

    def __init__(self, folder: Path, shard: int) -> None:
        self.path = folder / f"{shard:03d}"
        self.shard = shard
        self._lock: int | None = None

    def lock(self) -> None:
        """Lock the shard against other processes until `unlock`.

        Raises:
            StateError: another process holds the lock.
        """
        if not self.path.is_dir():
            self.path.mkdir(parents=True, exist_ok=True)
            sync(self.path.parent)
            sync(self.path.parent.parent)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StateError(
                f"shard {self.shard} in {self.path} is in use by another process: stop that one first"
            ) from None
        self._lock = lock

    @property
    def is_open(self) -> bool:
        """True while a process has the shard open, and after its death until the next run."""
        return next(self.path.glob("work-*"), None) is not None

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def names(self) -> list[str]:
        """Return the names of all checkpoints, complete or not, oldest first."""
        if not self.path.is_dir():
            return []
        return sorted(entry.name for entry in self.path.iterdir() if entry.name.startswith("c0"))

    def highest_number(self) -> int:
        """Return the highest checkpoint number; 0 without checkpoints."""
        return max((int(name[1:11]) for name in self.names()), default=0)

    @property
    def is_committed(self) -> bool:
        """True once the engine has committed a checkpoint of this shard."""
        return (self.path / _COMMITTED).exists()

    def commit(self) -> None:
        """Record that the engine has committed a checkpoint of this shard."""
        (self.path / _COMMITTED).touch()

    def make_work(self, work: Path) -> None:
        """Make an empty working folder, and remove those of former executions."""
        self.delete_work()
        work.mkdir()

    def delete_work(self) -> None:
        """Remove the working folders of former executions."""
        for entry in self.path.glob("work-*"):
            shutil.rmtree(entry)

    def delete(self, names: Iterable[str]) -> None:
        """Delete checkpoints; the manifest goes first, so that a half-deleted checkpoint is incomplete."""
        for name in names:
            (self.path / name / MANIFEST_FILE).unlink(missing_ok=True)
            shutil.rmtree(self.path / name)

    def others(self, name: str) -> list[Manifest | None]:
        """Return the manifests of all checkpoints but one; None for an incomplete checkpoint."""
        return [read_manifest(self.path / other) for other in self.names() if other != name]

    def write_manifest(
        self,
        token: Token,
        users: int,
        sequence: int,
        known: dict[str, ManifestFile],
        erasing: Iterable[bytes] = (),
        settling: int = 0,
        erasures: int = 0,
    ) -> Token:
        """Write the manifest of a new checkpoint, and return the token; the checkpoint is durable then.

        `known` maps names of tables to their manifest entries, and is updated in place.
        """
        path = self.path / token.name
        sync(path / _UNSYNCED)
        files = {name: known.get(name) or manifest_file(path / name) for name in file_names(path)}
        known.clear()
        known.update((name, file) for name, file in files.items() if name.endswith(TABLE))
        text = msgspec.json.encode(
            Manifest(
                token.shard,
                token.shards,
                token.number,
                token.execution,
                users,
                sequence,
                files,
                [user.hex() for user in sorted(erasing)],
                settling,
                erasures,
            )
        )
        write_file(path / MANIFEST_FILE, text)
        sync(self.path)
        return token._replace(manifest=crc32(text))

    def verify(self, token: Token) -> Manifest:
        """Read every byte of a checkpoint, and return its manifest.

        Raises:
            StateError: a file differs from the manifest; the error names the first one.
        """
        path = self.path / token.name
        if not path.is_dir():
            raise self.damaged(token.name, "it is missing")
        try:
            manifest = self.manifest_of(token)
        except FileNotFoundError:
            raise self.damaged(token.name, f"{MANIFEST_FILE} is missing") from None
        if problem := first_problem(path, manifest):
            raise self.damaged(token.name, problem)
        return manifest

    def manifest_of(self, token: Token) -> Manifest:
        """Return the manifest of a checkpoint, without a look at its other files.

        Raises:
            FileNotFoundError: there is none.
            StateError: it is not that of the token.
        """
        text = (self.path / token.name / MANIFEST_FILE).read_bytes()
        if crc32(text) != token.manifest:
            raise self.damaged(token.name, f"{MANIFEST_FILE} is not the one that was committed")
        return msgspec.json.decode(text, type=Manifest)

    def damaged(self, name: str, problem: str) -> StateError:
        """Return the error for a damaged checkpoint."""
        return StateError(
            f"shard {self.shard}: checkpoint {name} in {self.path} is damaged: {problem}; "
            "restore the whole state folder from a backup, or replay history into a new one"
        )

    def link(self, name: str, into: "ShardFolder") -> tuple[Token, Manifest]:
        """Link all files of a checkpoint into another folder of the same disk, and return its token and manifest.

        Raises:
            FileNotFoundError: a file of the checkpoint is not there yet, or not there any more.
        """
        path, copy = self.path / name, into.path / name
        copy.mkdir(parents=True)
        (copy / MANIFEST_FILE).hardlink_to(path / MANIFEST_FILE)
        text = (copy / MANIFEST_FILE).read_bytes()
        manifest = msgspec.json.decode(text, type=Manifest)
        for file in manifest.files:
            (copy / file).hardlink_to(path / file)
        return Token(manifest.shard, manifest.shards, manifest.number, manifest.execution, crc32(text)), manifest

    def copy_into(self, name: str, work: Path) -> None:
        """Copy a checkpoint into a working folder: tables as hard links, other files as copies."""
        for file in (self.path / name).iterdir():
            if file.suffix == TABLE:
                os.link(file, work / file.name)
            elif file.name != MANIFEST_FILE:
                shutil.copyfile(file, work / file.name)
