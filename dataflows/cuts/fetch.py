"""Fetch of a cut into a state folder: first positions and small files, then each shard by the process that opens it.

DIR/fetching      the fetch of the first part has begun and not ended
DIR/fetched.json  manifest of the cut, from which each shard gets the tables that its checkpoint lacks

What the folder has of the cut stays; checkpoints that the cut does not name go with the next commit of their shard.
"""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic

import structlog

from connectors.population.file_store import FILE_NAME, read_version
from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut, StoredFile
from dataflows.cuts.staging import local_shards
from dataflows.cuts.upload import unpack
from dataflows.state_folder import (
    CUT,
    DESCRIPTION,
    FETCHED,
    FETCHING,
    LINE,
    RECOVERY,
    ROOT_FILES,
    SHARDS,
    VOCABULARY,
    exclusive,
    is_of_host,
    read_folder_id,
)
from state.durable import sync, write_file
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import TABLE, Manifest, ManifestFile, Token, manifest_file, read_manifest
from state.storage.rocksdb import storage_error

_THREADS = 8
_PART = "fetch-"
"""Beginning of the name of a table while it is fetched."""

_log = structlog.get_logger(__name__)


def fetch(bucket: Bucket, cut: Cut, folder: Path, share: tuple[int, int] = (0, 1)) -> None:
    """Make a folder that of a cut, but for the tables of its shards.

    `share` is the number of this host, and the number of hosts: each gets its part of the recovery store.

    Raises:
        StateError: a run uses the folder, the folder has another state, or the cut is damaged.
        StorageError: the disk is full or fails.
        TacitError: the errors of `ObjectStore`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder):
            require_same_state(bucket, cut, folder)
            work = folder / CUT
            _unpack(bucket, cut, work, share)
            _require_complete(cut, work)  # a damaged cut leaves the folder as it is
            write_file(folder / FETCHING, b"")
            (folder / LINE).unlink(missing_ok=True)  # the folder fits no longer together with those of other hosts
            for shard, found in cut.shards.items():
                _place(
                    ShardFolder(work / SHARDS, int(shard)), ShardFolder(folder / SHARDS, int(shard)), found.checkpoint
                )
            for local in local_shards(folder / SHARDS):
                if str(local.shard) not in cut.shards:  # of a later moment: the recovery store does not know it
                    shutil.rmtree(local.path)
            write_file(folder / FETCHED, cut.encode())
            _replace(work, folder)
            (folder / FETCHING).unlink()
            sync(folder)
    except OSError as error:
        raise storage_error(str(folder), error.strerror or str(error)) from error
    _log.info("cut.fetched", cut=cut.text, archive_bytes=sum(file.size for file in cut.archives))


def require_same_state(bucket: Bucket, cut: Cut, folder: Path) -> None:
    """Check that a folder has no other state than a cut, which a fetch would replace.

    Raises:
        StateError: it has another one.
    """
    if (folder / DESCRIPTION).exists() and read_folder_id(folder) != cut.state:
        raise foreign_state(bucket, folder)


def foreign_state(bucket: Bucket, folder: Path) -> StateError:
    """Return the error about a folder with a state that is not from some cuts."""
    return StateError(
        f"the state folder {folder} did not come from {bucket.url}, which has cuts of a state: name an empty folder, "
        "which gets the newest cut, or another URL or namespace"
    )


def _unpack(bucket: Bucket, cut: Cut, work: Path, share: tuple[int, int]) -> None:
    """Unpack the archives of all hosts into one folder; the newest population version is kept."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    newest = 0
    for archive in cut.archives:
        packed, host = work / "files.tar.zst", work / "host"
        bucket.store.fetch(archive.key, packed, archive.size, archive.checksum)
        unpack(packed, host)
        packed.unlink()
        version = read_version(host / FILE_NAME)
        number = version.n if version else 0
        for path in sorted(path for path in host.rglob("*") if path.is_file()):
            target = work / path.relative_to(host)
            if target.exists() and (path.parent != host or number <= newest):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        newest = max(newest, number)
        shutil.rmtree(host)
    for path in (work / RECOVERY).glob("*"):
        if not is_of_host(path.name, *share):
            path.unlink()


def _require_complete(cut: Cut, work: Path) -> None:
    for name in (DESCRIPTION, VOCABULARY, RECOVERY):
        if not (work / name).exists():
            raise _lacking(cut, name)
    for shard, found in cut.shards.items():
        try:
            ShardFolder(work / SHARDS, int(shard)).manifest_of(found.checkpoint)
        except FileNotFoundError:
            raise _lacking(cut, f"the checkpoint of shard {shard}") from None


def _lacking(cut: Cut, name: str) -> StateError:
    return StateError(f"the archives of cut {cut.text} lack {name}: use an older cut, or a savepoint")


def _place(fetched: ShardFolder, local: ShardFolder, token: Token) -> None:
    """Move the small files of a checkpoint into the folder, unless the folder has the checkpoint."""
    manifest = fetched.manifest_of(token)
    target = local.path / token.name
    with suppress(FileNotFoundError, StateError):
        if local.manifest_of(token) == manifest:
            return
    shutil.rmtree(target, ignore_errors=True)
    local.path.mkdir(parents=True, exist_ok=True)
    (fetched.path / token.name).rename(target)
    local.commit()


def _replace(work: Path, folder: Path) -> None:
    """Put the other files in place of those of the folder; the description, which completes it, comes last."""
    (folder / DESCRIPTION).unlink(missing_ok=True)
    shutil.rmtree(folder / RECOVERY, ignore_errors=True)
    (work / RECOVERY).rename(folder / RECOVERY)
    os.sync()  # all files of the archives, which are many and small
    for name in sorted(ROOT_FILES, key=DESCRIPTION.__eq__):
        if (work / name).exists():
            write_file(folder / name, (work / name).read_bytes())
        else:
            (folder / name).unlink(missing_ok=True)
    shutil.rmtree(work)


class ShardFetch:
    """Completes the checkpoint of a shard before it is opened.

    Args:
        bucket: cuts of the namespace.
        folder: the state folder.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._cut: Cut | None = None

    def __call__(self, token: Token) -> None:
        """Fetch the tables that a checkpoint lacks; the caller verifies the whole checkpoint.

        Raises:
            StateError: the manifest of the cut is damaged.
            StorageError: the disk is full or fails.
            TacitError: the errors of `ObjectStore`.
        """
        shard = ShardFolder(self._folder / SHARDS, token.shard)
        manifest = read_manifest(shard.path / token.name)
        if manifest is None or not (missing := _missing(shard.path / token.name, manifest)):
            return
        cut = self._read_cut()
        found = cut.shards.get(str(token.shard)) if cut else None
        if found is None or found.checkpoint != token:
            return
        began_s = monotonic()
        try:
            fetched, kept = self._fetch(shard, shard.path / token.name, missing, found.tables)
        except OSError as error:
            raise storage_error(str(shard.path), error.strerror or str(error)) from error
        seconds = round(monotonic() - began_s, 2)
        _log.info("shard.fetched", shard=token.shard, fetched_bytes=fetched, kept_bytes=kept, seconds=seconds)

    def _read_cut(self) -> Cut | None:
        path = self._folder / FETCHED
        if self._cut is None and path.exists():
            self._cut = Cut.decode(path.read_bytes(), str(path))
        return self._cut

    def _fetch(
        self, shard: ShardFolder, path: Path, missing: list[str], tables: Mapping[str, StoredFile]
    ) -> tuple[int, int]:
        """Complete a checkpoint, and return the bytes of fetched tables, and of those that the folder has."""
        for part in shard.path.glob(f"{_PART}*"):
            part.unlink()
        local = _local_tables(shard)

        def complete(name: str) -> int:
            file = tables[name]
            if same := local.get((name, ManifestFile(file.size, file.checksum))):
                (path / name).hardlink_to(same)
                return 0
            part = shard.path / f"{_PART}{name}"
            self._bucket.store.fetch(file.key, part, file.size, file.checksum)
            part.rename(path / name)
            return file.size

        with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as threads:
            fetched = list(threads.map(complete, missing))
        sync(path)
        return sum(fetched), sum(table.size for table in tables.values()) - sum(fetched)


def _missing(path: Path, manifest: Manifest) -> list[str]:
    return sorted(name for name in manifest.files if name.endswith(TABLE) and not (path / name).exists())


def _local_tables(shard: ShardFolder) -> dict[tuple[str, ManifestFile], Path]:
    """Return the tables of the shard's other checkpoints that have the bytes of their manifests."""
    found: dict[tuple[str, ManifestFile], Path] = {}
    for name in shard.names():
        manifest = read_manifest(shard.path / name)
        for table, expected in manifest.files.items() if manifest else ():
            path = shard.path / name / table
            if table.endswith(TABLE) and path.exists():
                found.setdefault((table, expected), path)
    return {key: path for key, path in found.items() if manifest_file(path) == key[1]}
