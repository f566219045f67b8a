"""Manifests: the files of a checkpoint with their sizes and checksums.

RocksDB opens its own MANIFEST without an error when the last bytes are missing, and shows other users. So the manifest
of a checkpoint holds size and checksum of every file, and the token in the engine holds a checksum of the manifest.
"""

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self
from zlib import crc32

import msgspec

from state.errors import StateError

MANIFEST_FILE = "SEAL"
"""Name of the manifest on disk; RocksDB has a file MANIFEST of its own."""
TABLE = ".sst"
"""Ending of RocksDB's tables, which never change once written."""

_FORMAT = 2
_RECORDS_ERASURE = 2
_KIND = struct.Struct("<4sB")
_TOKEN = struct.Struct("<4sBHHQ8sI")
_MAGIC = b"TCKP"
_TOKEN_VERSION = 1
_CHUNK_BYTES = 256 * 1024
_READERS = 4


class Token(NamedTuple):
    """The engine's record of a shard: a checkpoint, and the checksum of its manifest."""

    shard: int
    shards: int
    number: int
    execution: str
    manifest: int = 0

    def pack(self) -> bytes:
        """Return the token as bytes."""
        execution = self.execution.encode()
        return _TOKEN.pack(_MAGIC, _TOKEN_VERSION, self.shard, self.shards, self.number, execution, self.manifest)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read the bytes of `pack`.

        Raises:
            StateError: the bytes are of another kind or damaged.
        """
        if data[: _KIND.size] != _KIND.pack(_MAGIC, _TOKEN_VERSION):
            raise StateError(
                "the state folder's recovery store holds no checkpoints of this version of Tacit: "
                "run the version that wrote it, or replay history into a new state folder"
            )
        try:
            *_, shard, shards, number, execution, manifest = _TOKEN.unpack(data)
            return cls(shard, shards, number, execution.rstrip(b"\0").decode(), manifest)
        except (struct.error, UnicodeDecodeError) as error:
            raise StateError(
                f"the state folder's recovery store is damaged: a shard's token cannot be read: {error}; "
                "restore the whole state folder from a backup, or replay history into a new one"
            ) from error

    @property
    def name(self) -> str:
        """Name of the checkpoint's folder."""
        return f"c{self.number:010d}-{self.execution}"


class ManifestFile(NamedTuple):
    """Size in bytes and CRC-32 of a file."""

    size: int
    checksum: int


class Manifest(msgspec.Struct, frozen=True):
    """The contents of a checkpoint."""

    shard: int
    shards: int
    number: int
    execution: str
    users: int
    sequence: int
    """Count of writes in RocksDB."""
    files: dict[str, ManifestFile]
    erasing: list[str] = []
    """Users, as hex, with older bytes in tables of this checkpoint (state.storage.erasure)."""
    settling: int = 0
    """2 in the first checkpoint after an erasure's compaction, 1 in the second."""
    erasures: int = 0
    """Compactions that have ended: no table of this checkpoint has the older bytes of their users."""
    format: int = _FORMAT

    @property
    def records_erasure(self) -> bool:
        """False for a version that left the older bytes of wiped users on disk."""
        return self.format >= _RECORDS_ERASURE


def file_names(checkpoint: Path) -> list[str]:
    """Return the names of all files for the manifest, sorted."""
    return sorted(entry.name for entry in checkpoint.iterdir() if entry.name != MANIFEST_FILE)


def read_manifest(checkpoint: Path) -> Manifest | None:
    """Return the manifest of a checkpoint; None for an incomplete checkpoint."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((checkpoint / MANIFEST_FILE).read_bytes(), type=Manifest)
    return None


def manifest_file(path: Path) -> ManifestFile:
    """Return size and checksum of a file."""
    size = checksum = 0
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(buffer):
            checksum = crc32(buffer[:read], checksum)
            size += read
    return ManifestFile(size, checksum)


def first_problem(path: Path, manifest: Manifest) -> str | None:
    """Return a description of the first difference between a checkpoint and its manifest; None without one.

    Four threads read the files: reading and checksums run without Python's lock.
    """
    there = set(file_names(path))
    if missing := sorted(manifest.files.keys() - there):
        return f"{missing[0]} is missing"
    if foreign := sorted(there - manifest.files.keys()):
        return f"{foreign[0]} does not belong there"
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda name: manifest_file(path / name), manifest.files)
        return next(_problems(manifest, found), None)


def _problems(manifest: Manifest, found: Iterator[ManifestFile]) -> Iterator[str]:
    for (name, expected), file in zip(manifest.files.items(), found, strict=True):
        if file.size != expected.size:
            yield f"{name} has {file.size:,} bytes instead of {expected.size:,}"
        elif file.checksum != expected.checksum:
            yield f"{name} has other bytes than were written"
