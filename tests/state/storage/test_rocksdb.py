"""RocksDB's errors as errors of Tacit, each with its meaning."""

import resource
from pathlib import Path

import pytest

from state.errors import StateError, StorageError
from state.storage.rocksdb import RocksDatabase, error_of, storage_error


def test_corruption_is_damage() -> None:
    """Corruption needs a backup or a replay."""
    error = error_of(Exception("Corruption: block checksum mismatch:\n stored = 1"), "shard 3 in state/003")
    assert isinstance(error, StateError)
    assert str(error) == (
        "shard 3 in state/003 is damaged: Corruption: block checksum mismatch: stored = 1; "
        "restore the whole state folder from a backup, or replay history into a new one"
    )


@pytest.mark.parametrize("message", ["IO error: No space left on device: While appending to file", "Resource busy"])
def test_failure_of_the_disk_is_a_storage_error(message: str) -> None:
    """A live run retries."""
    error = error_of(Exception(message), "shard 3 in state/003")
    assert isinstance(error, StorageError)
    assert str(error) == (
        f"shard 3 in state/003 cannot be used: {message}; free space or repair the disk: committed state is safe"
    )


def test_storage_error_is_not_damage() -> None:
    """A live run ends at damage, and retries after a failure of the disk."""
    assert not isinstance(storage_error("shard 3", "full"), StateError)


def test_rocksdb_raises_the_plain_exception_type(tmp_path: Path) -> None:
    """`state.storage.rocksdb` recognizes RocksDB's errors by the type `Exception`."""
    (tmp_path / "CURRENT").write_text("MANIFEST-000099\n")
    (tmp_path / "MANIFEST-000099").write_bytes(b"no manifest at all")
    with pytest.raises(Exception, match=r"^Corruption") as caught:
        RocksDatabase(1).open(tmp_path)
    assert type(caught.value) is Exception


def test_read_only_database_is_not_changed(tmp_path: Path) -> None:
    """A read-only database holds no lock, so workers continue."""
    rocks = RocksDatabase(1)
    database = rocks.open(tmp_path / "db")
    database[b"a"] = b"1"
    database.flush()
    reading = rocks.open_read_only(tmp_path / "db")
    assert reading.get(b"a") == b"1"
    with pytest.raises(Exception, match=r"Not (supported|implemented)"):
        reading.put(b"b", b"2")
    reading.close()
    database.close()


def test_limit_of_open_files_is_raised() -> None:
    """The limit of a shell, 1,024, is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        RocksDatabase(16)
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert raised == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
