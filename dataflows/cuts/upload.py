"""Upload of a host's part of a cut: new tables, and an archive of all other files."""

import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import zstandard

from connectors.population.file_store import FILE_NAME, read_version
from dataflows.cuts.bucket import Bucket, archive_key, table_key
from dataflows.cuts.cut import Cut, CutShard, StoredFile
from dataflows.cuts.part import Part
from dataflows.cuts.send_rate import SendRate
from dataflows.cuts.staging import Staged
from dataflows.state_folder import SHARDS
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import TABLE, Manifest, Token, manifest_file
from state.storage.rocksdb import storage_error

_THREADS = 4
"""Uploads at once; each holds a few parts of one table in memory."""
_ZSTD_LEVEL = 3

Known = Mapping[tuple[int, str, int, int], StoredFile]
"""Tables of a cut: (shard, name, size, checksum) → object."""


def known_tables(cut: Cut | None) -> Known:
    """Return the tables that need not be sent again."""
    return {
        (int(shard), name, file.size, file.checksum): file
        for shard, found in (cut.shards if cut else {}).items()
        for name, file in found.tables.items()
    }


class Uploaded(NamedTuple):
    """Part of a host, and the number of bytes that were sent for it."""

    part: Part
    bytes: int


class Uploader:
    """Uploads the files of one host, each table once.

    Args:
        bucket: cuts of the namespace.
        host: number of the host.
        execution: name of the run among the keys of tables.
        rate: limit of the process.
    """

    def __init__(self, bucket: Bucket, host: int, execution: str, rate: SendRate) -> None:
        self._bucket = bucket
        self._host = host
        self._execution = execution
        self._rate = rate

    def upload(self, staged: Staged, known: Known, fence: int, number: int) -> Uploaded:
        """Upload the files for a cut, and return the part.

        Raises:
            TacitError: the errors of `ObjectStore`.
        """
        new: dict[str, tuple[Path, StoredFile]] = {}
        checkpoints = []
        for token, manifest in staged.checkpoints.items():
            tables = dict(self._tables(token, manifest, known))
            folder = ShardFolder(staged.path / SHARDS, token.shard).path / token.name
            stored = {file.key for file in known.values()}
            new |= {file.key: (folder / name, file) for name, file in tables.items() if file.key not in stored}
            checkpoints.append(CutShard(token.pack().hex(), tables, manifest.erasures))
        self._send(list(new.values()))
        archive = self._archive(staged, archive_key(fence, number, self._host, self._execution))
        version = read_version(staged.path / FILE_NAME)
        part = Part(archive, checkpoints, version.n if version else 0)
        return Uploaded(part, sum(file.size for _, file in new.values()) + archive.size)

    def _tables(self, token: Token, manifest: Manifest, known: Known) -> Iterator[tuple[str, StoredFile]]:
        for name, (size, checksum) in manifest.files.items():
            if name.endswith(TABLE):
                same = known.get((token.shard, name, size, checksum))
                yield name, same or StoredFile(table_key(token.shard, self._execution, name), size, checksum)

    def _send(self, files: list[tuple[Path, StoredFile]]) -> None:
        """Send tables, several at once."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="upload") as threads:
            for first in range(0, len(files), _THREADS):
                batch = files[first : first + _THREADS]
                self._rate.admit(sum(file.size for _, file in batch))
                list(threads.map(lambda one: self._bucket.store.put(one[1].key, one[0]), batch))

    def _archive(self, staged: Staged, key: str) -> StoredFile:
        path = staged.path / "files.tar.zst"
        pack(staged.path, path)
        file = StoredFile(key, *manifest_file(path))
        self._rate.admit(file.size)
        self._bucket.store.put(key, path)
        path.unlink()
        return file


def pack(folder: Path, archive: Path) -> None:
    """Write all files below a folder, but tables, into an archive (tar, compressed by zstd).

    Raises:
        StorageError: the disk is full or fails.
    """
    names = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != TABLE and path != archive)
    try:
        with (
            archive.open("wb") as file,
            zstandard.ZstdCompressor(_ZSTD_LEVEL).stream_writer(file) as compressed,
            tarfile.open(fileobj=compressed, mode="w|", dereference=True) as tar,
        ):
            for path in names:
                tar.add(path, str(path.relative_to(folder)), recursive=False)
    except OSError as error:
        raise storage_error(str(archive), error.strerror or str(error)) from error


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of an archive below a folder; anything but a file below it is refused.

    Raises:
        StateError: the archive is damaged.
        StorageError: the disk is full or fails.
    """
    try:
        with (
            archive.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            for member in tar:
                _extract(tar, member, folder)
    except (tarfile.TarError, zstandard.ZstdError, KeyError) as error:
        raise StateError(f"{archive} is damaged: {error}; use an older cut, or a savepoint") from error
    except OSError as error:
        raise storage_error(str(folder), error.strerror or str(error)) from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file. The filters of tarfile are not in Python 3.11.2, the oldest supported version."""
    name = PurePosixPath(member.name)
    data = tar.extractfile(member) if member.isreg() else None
    if data is None or name.is_absolute() or ".." in name.parts:
        raise tarfile.TarError(f"{member.name} is not a file below it")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with data, path.open("wb") as file:
        shutil.copyfileobj(data, file)
    os.utime(path, (member.mtime, member.mtime))  # a checkpoint's age is that of its manifest
