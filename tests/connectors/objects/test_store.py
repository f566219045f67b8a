"""Every call, on a bucket and on a folder."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.objects.keys import is_key
from connectors.objects.store import ObjectStore
from state.errors import ObjectDamagedError, ObjectStoppedError, StorageError
from tests.support.object_server import opened

WRITERS = 4
SEGMENTS = st.from_regex(r"[A-Za-z0-9_=@+,~-][A-Za-z0-9._=@+,~-]{0,20}", fullmatch=True)


def test_object_is_read_as_written(objects: ObjectStore) -> None:
    objects.put("cuts/000001/manifest.json", b"{}")
    found = objects.get("cuts/000001/manifest.json")
    assert found is not None
    assert found.data == b"{}"


def test_missing_object_is_none(objects: ObjectStore) -> None:
    assert objects.get("missing") is None


def test_put_replaces_object(objects: ObjectStore) -> None:
    objects.put("key", b"1")
    objects.put("key", b"")
    assert objects.get("key") == (b"", objects.get("key").etag)  # type: ignore[union-attr]  # it was just written


def test_put_new_writes_once(objects: ObjectStore) -> None:
    etag = objects.put_new("lease", b"1")
    assert etag is not None
    assert objects.put_new("lease", b"2") is None
    assert objects.get("lease") == (b"1", etag)


def test_put_instead_replaces_object_with_its_etag_only(objects: ObjectStore) -> None:
    first = objects.put_new("lease", b"1")
    assert first is not None
    second = objects.put_instead("lease", b"2", first)
    assert second is not None
    assert second != first
    assert objects.put_instead("lease", b"3", first) is None
    assert objects.get("lease") == (b"2", second)


def test_put_instead_of_missing_object_writes_nothing(objects: ObjectStore) -> None:
    etag = objects.put_new("lease", b"1")
    assert etag is not None
    objects.delete(["lease"])
    assert objects.put_instead("lease", b"2", etag) is None
    assert objects.get("lease") is None


def test_one_of_many_creators_wins(objects: ObjectStore) -> None:
    start = Barrier(WRITERS)

    def create(number: int) -> str | None:
        start.wait()
        return objects.put_new("lease", b"%d" % number)

    with ThreadPoolExecutor(WRITERS) as threads:
        results = list(threads.map(create, range(WRITERS)))
    [winner] = [number for number, etag in enumerate(results) if etag]
    assert objects.get("lease") == (b"%d" % winner, results[winner])


def test_no_update_of_many_writers_is_lost(objects: ObjectStore) -> None:
    objects.put("counter", b"0")

    def count(_: int) -> None:
        while True:
            found = objects.get("counter")
            assert found is not None
            if objects.put_instead("counter", b"%d" % (int(found.data) + 1), found.etag):
                return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(20)))
    found = objects.get("counter")
    assert found is not None
    assert found.data == b"20"


def test_list_has_objects_below_prefix(objects: ObjectStore) -> None:
    for key in ("cuts/1/a", "cuts/1/b/c", "cuts/10", "tables/x.sst"):
        objects.put(key, key.encode())
    assert {(each.key, each.size) for each in objects.list("cuts/1")} == {("cuts/1/a", 8), ("cuts/1/b/c", 10)}
    assert {each.key for each in objects.list()} == {"cuts/1/a", "cuts/1/b/c", "cuts/10", "tables/x.sst"}
    assert list(objects.list("none")) == []


def test_list_has_time_of_write(objects: ObjectStore) -> None:
    objects.put("first", b"")
    [first] = objects.list()
    assert first.modified_ms > 1_700_000_000_000


def test_deleted_objects_are_gone(objects: ObjectStore) -> None:
    for key in ("a/1", "a/2", "b"):
        objects.put(key, b"x")
    objects.delete(["a/1", "missing/1", "a/2"])
    objects.delete([])
    assert [each.key for each in objects.list()] == ["b"]


def test_stores_at_other_prefixes_see_no_objects(objects: ObjectStore, url: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = opened(f"{url}/inner")
    inner.put("key", b"x")
    assert [each.key for each in inner.list()] == ["key"]
    assert [each.key for each in objects.list()] == ["inner/key"]


def test_large_file_arrives_whole(objects: ObjectStore, tmp_path: Path) -> None:
    """The file has three parts."""
    data = bytes(range(256)) * (20 << 12)
    source, target = tmp_path / ".source", tmp_path / ".target"
    source.write_bytes(data)
    objects.put("tables/000001.sst", source)
    objects.fetch("tables/000001.sst", target, len(data), crc32(data))
    assert target.read_bytes() == data


def test_empty_file_arrives(objects: ObjectStore, tmp_path: Path) -> None:
    source, target = tmp_path / ".source", tmp_path / ".target"
    source.touch()
    objects.put("empty", source)
    objects.fetch("empty", target, 0, 0)
    assert target.read_bytes() == b""


def test_unreadable_file_is_no_failure_of_store(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        objects.put("key", tmp_path / "missing")


@pytest.mark.parametrize(
    ("size", "checksum", "reason"),
    [
        (5, crc32(b"12345"), "has 4 bytes, not 5"),
        (3, crc32(b"123"), "has 4 bytes, not 3"),
        (0, 0, "has 4 bytes, not 0"),
        (4, crc32(b"1235"), f"has the checksum {crc32(b'1234'):08x}, not {crc32(b'1235'):08x}"),
    ],
)
def test_changed_object_is_refused(
    objects: ObjectStore, url: str, tmp_path: Path, size: int, checksum: int, reason: str
) -> None:
    objects.put("key", b"1234")
    target = tmp_path / ".target"
    with pytest.raises(ObjectDamagedError) as error:
        objects.fetch("key", target, size, checksum)
    assert str(error.value) == f"{url}/key {reason}; restore the object, or use an older cut"
    assert not target.exists()


def test_missing_object_is_refused(objects: ObjectStore, url: str, tmp_path: Path) -> None:
    with pytest.raises(ObjectDamagedError) as error:
        objects.fetch("tables/1", tmp_path / ".target", 4, 0)
    assert str(error.value) == f"{url}/tables/1 is missing; restore the object, or use an older cut"


def test_unwritable_file_is_failure_of_disk(objects: ObjectStore, tmp_path: Path) -> None:
    objects.put("key", b"1234")
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        objects.fetch("key", tmp_path / "missing" / "target", 4, crc32(b"1234"))


def test_full_disk_is_failure_of_disk(objects: ObjectStore, tmp_path: Path) -> None:
    objects.put("key", b"1234")
    target = tmp_path / ".target"
    target.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="cannot be written: No space left on device; free space"):
        objects.fetch("key", target, 4, crc32(b"1234"))


CALLS: list[Callable[[ObjectStore], object]] = [
    lambda objects: objects.put("key", b"x"),
    lambda objects: objects.put_new("key", b"x"),
    lambda objects: objects.put_instead("key", b"x", "y"),
    lambda objects: objects.get("key"),
    lambda objects: list(objects.list()),
    lambda objects: objects.delete(["key"]),
]


@pytest.mark.parametrize("call", CALLS)
def test_stopped_store_does_nothing(objects: ObjectStore, url: str, call: Callable[[ObjectStore], object]) -> None:
    objects.put("key", b"before")
    stop = Event()
    stop.set()
    with pytest.raises(ObjectStoppedError, match="ended because a stop was requested"):
        call(opened(url, stop))
    found = objects.get("key")
    assert found is not None
    assert found.data == b"before"


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "..", "a/../b", ".lock", "a b", "ü", "a\n", "x" * 900])
def test_other_keys_are_refused(objects: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="the key of an object has segments"):
        objects.put(key, b"")
    with pytest.raises(ValueError, match="the key of an object has segments"):
        objects.get(key)
    with pytest.raises(ValueError, match="the key of an object has segments"):
        objects.delete([key])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(SEGMENTS, min_size=1, max_size=4), data=st.binary(max_size=100))
def test_every_key_leads_to_its_object(objects: ObjectStore, names: list[str], data: bytes) -> None:
    key = "/".join(names)
    assert is_key(key)
    objects.put(key, data)
    found = objects.get(key)
    assert found is not None
    assert found.data == data
    assert [(each.key, each.size) for each in objects.list()] == [(key, len(data))]
    objects.delete([key])
    assert list(objects.list()) == []
