"""Failures of a folder, and the durability of its writes."""

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from connectors.objects.address import ObjectAddress
from connectors.objects.folder import LOCK, NEW, Folder
from connectors.objects.store import Limits, ObjectStore
from state.errors import ObjectRefusedError, ObjectStoppedError, ObjectStoreError
from tests.support.conditions import once
from tests.support.object_server import opened


@pytest.fixture
def folder(tmp_path: Path) -> ObjectStore:
    """Return an empty store in a folder."""
    return opened(f"file://{tmp_path}")


def test_missing_folder_is_no_empty_store(tmp_path: Path) -> None:
    """An unmounted disk must not look like a store without cuts."""
    objects = opened(f"file://{tmp_path}/missing")
    for call in (lambda: objects.get("key"), lambda: list(objects.list()), lambda: objects.put("key", b"")):
        with pytest.raises(ObjectRefusedError, match="/missing: no such folder; create it, mount its disk or correct"):
            call()
    with pytest.raises(ObjectRefusedError):
        objects.fetch("key", tmp_path / "target", 1, 0)


def test_key_below_an_object_is_refused(folder: ObjectStore) -> None:
    folder.put("a", b"1")
    with pytest.raises(ObjectRefusedError, match="/a/b cannot be written: a file is in the place of a folder"):
        folder.put("a/b", b"2")
    assert folder.get("a/b") is None
    folder.delete(["a/b"])


def test_key_above_an_object_is_refused(folder: ObjectStore) -> None:
    folder.put("a/b", b"1")
    with pytest.raises(ObjectRefusedError, match="/a cannot be written: a folder is in the place of the object"):
        folder.put("a", b"2")
    assert folder.get("a") is None


def test_deleted_objects_leave_no_folders(folder: ObjectStore, tmp_path: Path) -> None:
    folder.put("a/b/c", b"1")
    folder.put("a/d", b"1")
    folder.delete(["a/b/c"])
    assert {path.name for path in tmp_path.iterdir()} == {"a", LOCK, NEW}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["d"]


def test_files_of_other_programs_are_not_listed(folder: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "a b").write_text("x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "key").write_text("x")
    folder.put("key", b"x")
    assert [each.key for each in folder.list()] == ["key"]


def test_temporary_file_of_a_killed_process_is_removed(folder: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / NEW).mkdir()
    old, fresh = tmp_path / NEW / "old", tmp_path / NEW / "fresh"
    for path in (old, fresh):
        path.write_text("x")
    os.utime(old, (0, 0))
    folder.put("key", b"x")
    assert [path.name for path in (tmp_path / NEW).iterdir()] == ["fresh"]


def test_lock_of_a_paused_process_is_an_error_after_the_limit(tmp_path: Path) -> None:
    objects = Folder(ObjectAddress.parse(f"file://{tmp_path}"), Limits(request_s=0.1))
    with (tmp_path / LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(
            ObjectStoreError, match=r"cannot be locked within 0\.1 s: another process has its file \.lock"
        ):
            objects.put("key", b"x")
    assert objects.get("key") is None
    assert list((tmp_path / NEW).iterdir()) == []


def test_stop_ends_the_wait_for_the_lock(tmp_path: Path) -> None:
    stop = threading.Event()
    objects = opened(f"file://{tmp_path}", stop)
    started = time.monotonic()
    with (tmp_path / LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with once(lambda: time.monotonic() - started > 0.1, stop.set), pytest.raises(ObjectStoppedError):
            objects.put("key", b"x")
    assert time.monotonic() - started < 1


def test_write_is_on_disk_before_it_has_its_name(
    folder: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is: bytes, name, folder of the name, folders above."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def shown(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("file" if path.parent.name == NEW else path.relative_to(tmp_path).as_posix())
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", shown)
    monkeypatch.setattr(Path, "replace", renamed)
    folder.put("a/b/key", b"x")
    assert steps == ["file", "rename", "a/b", "a", "."]


def test_folder_without_rights_is_refused() -> None:
    """Not even root may write there."""
    with pytest.raises(ObjectRefusedError, match="file:///sys/kernel/key cannot be written: "):
        opened("file:///sys/kernel").put("key", b"x")
