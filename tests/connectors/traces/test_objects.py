"""Byte search in object storage: archives in their contents, tables by their entries, and objects that go meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from connectors.objects.store import ObjectInfo, ObjectStore
from connectors.traces.needles import Needles, Trace, needles_of
from connectors.traces.objects import Searched, find_object_traces
from tests.support.object_server import opened
from tests.support.turns import TurnStore

ADA = "ada.lovelace@example.org"
NEEDLES: Needles = needles_of(ADA, b"0123456789abcdef")


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    (tmp_path / "bucket").mkdir()
    return opened(f"file://{tmp_path}/bucket")


def found(objects: ObjectStore) -> list[Trace]:
    return sorted(find_object_traces(objects, NEEDLES))


def test_each_object_is_searched(objects: ObjectStore) -> None:
    """Archives are searched after their decompression."""
    objects.put("archives/1.tar.zst", zstandard.ZstdCompressor().compress(b"x" * 9 + NEEDLES.user))
    objects.put("tables/000/run/000009.sst", b"y" * 5 + NEEDLES.user)
    objects.put("cuts/1.json", f'["{ADA}"]'.encode())
    objects.put("lease.json", b"{}")
    url = str(objects.address)
    assert found(objects) == [
        Trace(f"{url}/archives/1.tar.zst", 13, "pseudonym"),
        Trace(f"{url}/cuts/1.json", 2, "id"),
        Trace(f"{url}/tables/000/run/000009.sst", 9, "pseudonym"),
    ]


def test_damaged_archive_is_unreadable(objects: ObjectStore) -> None:
    """A search that skips it proves nothing."""
    objects.put("archives/1.tar.zst", b"no archive")
    assert found(objects) == [Trace(f"{objects.address}/archives/1.tar.zst", 0, "unreadable")]


class Going(TurnStore):
    """A store with an object that is deleted, or replaced by a shorter one, after the list."""

    def __init__(self, store: ObjectStore, *, stays: bool) -> None:
        super().__init__(store, lambda: None)
        self._stays = stays

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for each in super().list(prefix):
            if not prefix and each.key == "archives/1.tar.zst":
                if self._stays:
                    self.put(each.key, b"other")
                else:
                    self.delete([each.key])
            yield each


@pytest.mark.parametrize("stays", [False, True])
def test_object_that_goes_meanwhile_has_no_trace(stays: bool, objects: ObjectStore) -> None:
    """One that changes is unreadable: no object of a cut ever does."""
    objects.put("archives/1.tar.zst", b"no archive")
    objects.put("tables/1.sst", NEEDLES.user)
    going = Going(objects, stays=stays)
    traces = {(trace.place.rpartition("/")[2], trace.kind) for trace in find_object_traces(going, NEEDLES)}
    assert traces == {("1.sst", "pseudonym")} | ({("1.tar.zst", "unreadable")} if stays else set())


def test_second_search_reads_only_what_is_new_or_may_have_changed(objects: ObjectStore, tmp_path: Path) -> None:
    """A table and an archive never change; another file in their place, with the same size and time, is not seen."""
    searched: Searched = {}
    names = ("tables/000/run/000009.sst", "archives/1.tar", "cuts/1.json", "archives/2.tar")
    for key in names:
        objects.put(key, NEEDLES.user)
    assert len(list(find_object_traces(objects, NEEDLES, searched))) == 4
    for key in names:
        path = tmp_path / "bucket" / key
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        later_ns = 10**9 if key == "archives/2.tar" else 0
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + later_ns))
    objects.put("tables/000/run/000010.sst", NEEDLES.user)
    objects.delete(["archives/1.tar"])
    again = find_object_traces(objects, NEEDLES, searched)
    assert {trace.place.rpartition("/")[2] for trace in again} == {"000009.sst", "000010.sst"}


def test_damaged_object_is_read_again(objects: ObjectStore) -> None:
    searched: Searched = {}
    objects.put("archives/1.tar.zst", b"no archive")
    assert [trace.kind for trace in find_object_traces(objects, NEEDLES, searched)] == ["unreadable"]
    assert searched == {}


def test_search_leaves_no_file(objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    objects.put("tables/1.sst", NEEDLES.user)
    assert len(found(objects)) == 1
    assert list((tmp_path / "temporary").iterdir()) == []
