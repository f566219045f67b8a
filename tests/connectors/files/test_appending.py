"""Durable append: whole lines, whatever a crash left."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.files.appending import append_lines
from state.errors import SinkError


def test_lines_are_appended(tmp_path: Path) -> None:
    """Each with a newline; the file is created."""
    append_lines(tmp_path / "a", [b"1", b"2"])
    append_lines(tmp_path / "a", [b"3"])
    assert (tmp_path / "a").read_bytes() == b"1\n2\n3\n"


def test_half_a_line_of_a_crash_ends_first(tmp_path: Path) -> None:
    """So the new line is whole."""
    (tmp_path / "a").write_bytes(b"1\nhal")
    append_lines(tmp_path / "a", [b"2"])
    assert (tmp_path / "a").read_bytes() == b"1\nhal\n2\n"


def test_concurrent_appends_keep_lines_whole(tmp_path: Path) -> None:
    """Long lines of eight writers."""
    lines = [bytes([ord("a") + number]) * 5_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(append_lines, tmp_path / "a", [line] * 10) for line in lines]:
            done.result()
    assert sorted((tmp_path / "a").read_bytes().splitlines()) == sorted(line for line in lines for _ in range(10))


def test_fork_during_an_append_keeps_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked process has the open file, too, and may live long."""
    read, write = os.pipe()
    children: list[int] = []
    sync = os.fsync

    def fork_and_sync(descriptor: int) -> None:
        child = os.fork()
        if child == 0:
            os.read(read, 1)
            os._exit(0)
        children.append(child)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fork_and_sync)
    append_lines(tmp_path / "a", [b"1"])
    try:
        with (tmp_path / "a").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.write(write, b"1")
        os.waitpid(children[0], 0)
        os.close(read)
        os.close(write)


def test_unwritable_file_is_an_error(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(SinkError, match="cannot be written: Is a directory; free disk space"):
        append_lines(tmp_path, [b"1"])
