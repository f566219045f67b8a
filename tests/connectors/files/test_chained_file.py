"""File of dependent lines: each append sees the end of the file, and the head is the newest."""

from pathlib import Path

import pytest

from connectors.files import chained_file
from connectors.files.chained_file import Append, ChainedFile, Tail
from state.errors import SinkError, SourceError


def counted(tail: Tail) -> Append:
    """Return a line with the number of the lines before it."""
    line = str(len(tail.lines)).encode()
    return Append((line,), b"head " + line)


def test_an_append_sees_the_lines_before_it(tmp_path: Path) -> None:
    """And replaces the head."""
    file = ChainedFile(tmp_path / "a")
    for _ in range(3):
        file.append(counted)
    assert list(file.lines()) == [b"0", b"1", b"2"]
    assert file.read_head() == b"head 2"


def test_a_shorter_head_replaces_a_longer_one(tmp_path: Path) -> None:
    """No byte of the longer one stays."""
    file = ChainedFile(tmp_path / "a")
    file.append(lambda _: Append((b"1",), b"a long head"))
    file.append(lambda _: Append((b"2",), b"short"))
    assert file.read_head() == b"short"


def test_a_torn_line_is_seen_and_ended(tmp_path: Path) -> None:
    """The next line begins on its own line."""
    (tmp_path / "a").write_bytes(b"0\nto")
    seen = []

    def compose(tail: Tail) -> Append:
        seen.append(tail)
        return Append((b"1",), b"")

    ChainedFile(tmp_path / "a").append(compose)
    assert seen == [Tail((b"0",), b"to", b"")]
    assert (tmp_path / "a").read_bytes() == b"0\nto\n1\n"


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole lines of it."""
    monkeypatch.setattr(chained_file, "MAX_LINE_BYTES", 8)
    (tmp_path / "a").write_bytes(b"first\nsecond\nthird\n")
    ChainedFile(tmp_path / "a").append(lambda tail: Append((b"after " + b" ".join(tail.lines),), b""))
    assert (tmp_path / "a").read_bytes().endswith(b"\nafter third\n")


def test_errors_name_the_file(tmp_path: Path) -> None:
    """A folder that is missing, and a file that is."""
    with pytest.raises(SinkError, match="no/a: cannot be written: No such file"):
        ChainedFile(tmp_path / "no" / "a").require()
    with pytest.raises(SourceError, match="a: cannot be read: No such file"):
        list(ChainedFile(tmp_path / "a").lines())
