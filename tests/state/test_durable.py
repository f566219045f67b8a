"""state/durable: a file is written whole or not at all."""

import os
from pathlib import Path

import msgspec
import pytest

from state.durable import read_document, replacing, write_document, write_file
from state.errors import StateError
from tests.support.repeated_reads import read_repeatedly

OLD, NEW = b"old " * 50_000, b"new " * 60_000


def test_reader_finds_old_or_new_contents(tmp_path: Path) -> None:
    """In 200 replacements, no reader finds a part of a file."""
    path = tmp_path / "file"
    write_file(path, OLD)
    with read_repeatedly(path) as found:
        for _ in range(100):
            write_file(path, NEW)
            write_file(path, OLD)
    assert found <= {OLD, NEW}
    assert list(tmp_path.iterdir()) == [path]


def test_block_that_raises_does_not_change_the_file(tmp_path: Path) -> None:
    """The temporary file is deleted."""
    path = tmp_path / "file"
    write_file(path, OLD)
    with pytest.raises(TypeError), replacing(path) as file:
        file.writelines([NEW, "no bytes"])  # type: ignore[list-item]
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_does_not_change_the_file(tmp_path: Path) -> None:
    """The error is the operating system's."""
    path = tmp_path / "file"
    write_file(path, OLD)
    (tmp_path / "file.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_file(path, NEW)
    assert path.read_bytes() == OLD


def test_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced before the rename, and its folder before the return, so a crash cannot undo the write."""
    path, synced = tmp_path / "file", []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_file(path, NEW)
    assert synced == [("file.new", False), (tmp_path.name, True)]


def test_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    """The file of a symbolic link may be in another folder."""
    target, link = tmp_path / "target", tmp_path / "link"
    write_file(target, OLD)
    link.symlink_to(target)
    write_file(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW


def test_device_is_written_directly() -> None:
    """A name such as /dev/null is never replaced."""
    write_file(Path("/dev/null"), NEW)
    assert not Path("/dev/null").is_file()


class Note(msgspec.Struct):
    """A document."""

    text: str


def test_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Without the file there is none."""
    path = tmp_path / "note.json"
    assert read_document(path, Note, "restore it") is None
    write_document(path, Note("é"))
    assert read_document(path, Note, "restore it") == Note("é")


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"text": 1}', b'{"text": "\xff"}'])
def test_damaged_document_is_an_error_with_its_path_and_remedy(data: bytes, tmp_path: Path) -> None:
    """Invalid UTF-8 is damage, too."""
    path = tmp_path / "note.json"
    path.write_bytes(data)
    with pytest.raises(StateError, match=r"note\.json cannot be read: .*; restore it$"):
        read_document(path, Note, "restore it")
