"""state/storage/rocksdb: what RocksDB states becomes an error that states what it means."""

import resource
from pathlib import Path

import pytest

from state.errors import StateError, StorageError
from state.storage.rocksdb import RocksDatabase, error_of, storage_error


def test_corruption_is_damage() -> None:
    """It does not pass: only a backup or a replay helps."""
    error = error_of(Exception("Corruption: block checksum mismatch:\n stored = 1"), "shard 3 in state/003")
    assert isinstance(error, StateError)
    assert str(error) == (
        "shard 3 in state/003 is damaged: Corruption: block checksum mismatch: stored = 1; "
        "restore the whole state folder from a backup, or replay history into a new one"
    )


@pytest.mark.parametrize("said", ["IO error: No space left on device: While appending to file", "Resource busy"])
def test_trouble_with_the_disk_may_pass(said: str) -> None:
    """A live run tries again."""
    error = error_of(Exception(said), "shard 3 in state/003")
    assert isinstance(error, StorageError)
    assert str(error) == (
        f"shard 3 in state/003 cannot be used: {said}; free space or repair the disk: committed state is safe"
    )


def test_storage_error_is_not_damage() -> None:
    """Or a live run would give up."""
    assert not isinstance(storage_error("shard 3", "full"), StateError)


def test_what_rocksdb_raises_is_an_exception_without_a_type_of_its_own(tmp_path: Path) -> None:
    """Which is how `state.storage.shard_database` reports it from mistakes of ours."""
    (tmp_path / "CURRENT").write_text("MANIFEST-000099\n")
    (tmp_path / "MANIFEST-000099").write_bytes(b"no manifest at all")
    with pytest.raises(Exception, match=r"^Corruption") as caught:
        RocksDatabase(1).open(tmp_path)
    assert type(caught.value) is Exception


def test_database_that_is_only_read_is_not_changed(tmp_path: Path) -> None:
    """Nor held: workers continue."""
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


def test_files_may_be_open_as_far_as_the_system_lets() -> None:
    """A limit of 1,024, as shells have it, is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        RocksDatabase(16)
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert raised == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
