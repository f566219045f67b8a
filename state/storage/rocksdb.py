"""RocksDB for the shards: settings, and errors with a remedy.

The settings were measured with up to a million users, a tenth of them touched per checkpoint interval
(docs/decisions.md). Compression is off: the search for bytes of erased users reads tables as they are. Many tables
gather at level 0 before a compaction, so that the same bytes are merged less often.
"""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    CompactOptions,
    DataBlockIndexType,
    DBCompressionType,
    Options,
    Rdict,
    WriteBufferManager,
    WriteOptions,
)

from state.errors import StateError, StorageError
from tacit.errors import TacitError

_MB = 1024 * 1024
_BLOCK_CACHE_BYTES = 64 * _MB
_WRITE_BUFFERS_BYTES = 64 * _MB
_MOST_FILES = 65_536
_OTHER_FILES = 256
"""File descriptors reserved for the rest of the process."""


class RocksDatabase:
    """Databases of one process, with a shared block cache and shared write buffers."""

    def __init__(self, databases: int) -> None:
        self._cache = Cache(_BLOCK_CACHE_BYTES)
        self._buffers = WriteBufferManager(_WRITE_BUFFERS_BYTES, allow_stall=False)
        self._open_files = max(16, (_descriptors() - _OTHER_FILES) // databases)

    def open(self, path: Path) -> Rdict:
        """Open a database for reading and writing, without a write-ahead log: checkpoints replace the log."""
        database = Rdict(str(path), self._options())
        unlogged = WriteOptions()
        unlogged.disable_wal = True  # type: ignore[method-assign, assignment]  # a property, declared as a method
        database.set_write_options(unlogged)
        return database

    def open_read_only(self, path: Path) -> Rdict:
        """Open a database without writers; all files are opened at once, so that a worker may delete them meanwhile."""
        options = self._options()
        options.set_max_open_files(-1)
        return Rdict(str(path), options, access_type=AccessType.read_only(error_if_log_file_exist=False))

    def _options(self) -> Options:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(16 * _MB)
        options.set_max_write_buffer_number(3)
        options.set_target_file_size_base(8 * _MB)
        options.set_max_bytes_for_level_base(64 * _MB)
        options.set_level_compaction_dynamic_level_bytes(True)
        options.set_level_zero_file_num_compaction_trigger(32)
        options.set_level_zero_slowdown_writes_trigger(80)
        options.set_level_zero_stop_writes_trigger(120)
        options.set_max_background_jobs(2)
        options.set_max_open_files(self._open_files)
        options.set_compression_type(DBCompressionType.none())
        options.set_block_based_table_factory(self._tables())
        options.set_max_log_file_size(_MB)
        options.set_keep_log_file_num(1)
        options.set_max_manifest_file_size(4 * _MB)
        options.set_manifest_preallocation_size(64 * 1024)
        options.set_stats_dump_period_sec(0)
        options.set_stats_persist_period_sec(0)
        return options

    @staticmethod
    def compact(database: Rdict, begin: bytes | None, end: bytes | None) -> None:
        """Rewrite all tables with keys in a range without deleted and replaced entries, also at the lowest level."""
        options = CompactOptions()
        options.set_bottommost_level_compaction(BottommostLevelCompaction.force_optimized())
        database.compact_range(begin, end, options)

    def _tables(self) -> BlockBasedOptions:
        tables = BlockBasedOptions()
        tables.set_block_cache(self._cache)
        tables.set_block_size(4096)
        tables.set_bloom_filter(10, block_based=False)
        tables.set_data_block_index_type(DataBlockIndexType.binary_and_hash())
        tables.set_format_version(5)
        return tables


def _descriptors() -> int:
    """Raise the limit of open files as far as allowed, and return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


@contextmanager
def translated(where: Callable[[], str]) -> Iterator[None]:
    """Raise errors of RocksDB and of the disk as StateError (damage) or StorageError; `where` names the place."""
    try:
        yield
    except OSError as broken:
        raise storage_error(where(), broken.strerror or str(broken)) from broken
    except Exception as broken:
        if type(broken) is Exception:  # RocksDB's errors have no type of their own
            raise error_of(broken, where()) from broken
        raise


def error_of(broken: Exception, where: str) -> TacitError:
    """Return an error of RocksDB as StateError for damage, which stays, or StorageError, which may pass."""
    text = " ".join(str(broken).split())
    if not text.startswith("Corruption"):
        return storage_error(where, text)
    return StateError(
        f"{where} is damaged: {text}; restore the whole state folder from a backup, or replay history into a new one"
    )


def storage_error(where: str, what: str) -> StorageError:
    """Return the error for a disk that is full or fails."""
    return StorageError(f"{where} cannot be used: {what}; free space or repair the disk: committed state is safe")
