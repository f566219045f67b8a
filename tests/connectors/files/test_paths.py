"""Paths of event files: patterns, folders, and files that are named twice."""

from pathlib import Path

import pytest

from connectors.files.paths import event_files, is_pattern
from tacit.errors import ConfigurationError


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with event files at two depths and other files."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.jsonl", "a.jsonl.zst", "notes.txt", ".a.jsonl", "year/c.jsonl.gz", "[x].jsonl"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(*texts: str) -> list[str]:
    return [str(path) for path in event_files(texts)]


@pytest.mark.usefixtures("history")
def test_pattern_stands_for_its_event_files_by_name() -> None:
    """Hidden files, folders and other files do not match; `**` finds all depths."""
    assert names("*") == ["[x].jsonl", "a.jsonl.zst", "b.jsonl"]
    assert names("**/[a-c].*") == ["a.jsonl.zst", "b.jsonl", "year/c.jsonl.gz"]


def test_absolute_pattern_matches(history: Path) -> None:
    """The files have absolute paths, too."""
    assert names(f"{history}/?.jsonl") == [f"{history}/b.jsonl"]


@pytest.mark.usefixtures("history")
def test_file_that_exists_is_no_pattern() -> None:
    """A name may have brackets."""
    assert not is_pattern("[x].jsonl")
    assert names("[x].jsonl") == ["[x].jsonl"]


@pytest.mark.usefixtures("history")
def test_pattern_without_an_event_file_is_an_error() -> None:
    """The error has the pattern and the endings."""
    with pytest.raises(ConfigurationError, match=r"the pattern \*\.txt has no file with a name in \.jsonl"):
        names("*.txt")


def test_file_that_is_named_twice_is_an_error(history: Path) -> None:
    """A link to a file, a folder with the file and another path are the same file."""
    (history / "link.jsonl").symlink_to("b.jsonl")
    for again in ("b.jsonl", "./b.jsonl", "link.jsonl", "."):
        with pytest.raises(ConfigurationError, match=r"is the same file as b\.jsonl; name each file once"):
            names("b.jsonl", again)
