"""dataflows/rejects/marks: one retry at a time, and marks that survive a crash."""

from pathlib import Path

import pytest

from dataflows.rejects.marks import marks_of
from dataflows.rejects.stored import Mark, Unreadable, read_stored
from dataflows.settings import Settings
from state.errors import SinkError
from tests.support.commands import SECRET


def settings(tmp_path: Path) -> Settings:
    return Settings(secret=SECRET, rejects=str(tmp_path / "rejects.jsonl"))


def mark(number: int) -> Mark:
    return Mark(f"a.jsonl:{number}", "ab", "cd", 7, "late.jsonl")


def test_marks_are_read_back(tmp_path: Path) -> None:
    """A line that a crash cut off gets its newline first."""
    own = settings(tmp_path)
    with marks_of(own, own.rejects) as marks:
        marks.write([mark(1), mark(2)])
    path = tmp_path / "rejects.jsonl.retried"
    path.write_bytes(path.read_bytes()[:-9])
    with marks_of(own, own.rejects) as marks:
        marks.write([mark(3)])
    assert list(read_stored(own, own.rejects)) == [mark(1), Unreadable(), mark(3)]


def test_second_retry_at_the_same_time_is_refused(tmp_path: Path) -> None:
    own = settings(tmp_path)
    with (
        marks_of(own, own.rejects),
        pytest.raises(SinkError, match="another tacit rejects retry runs; wait for its end, and run again"),
        marks_of(own, own.rejects),
    ):
        pass


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    own = settings(tmp_path / "missing")
    with pytest.raises(SinkError, match="cannot be written: No such file or directory"), marks_of(own, own.rejects):
        pass
