"""Paths of event files: names, folders and patterns of a command line."""

import os
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from tacit.errors import ConfigurationError

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")

STDIN = Path("-")
"""Source of lines from stdin."""


def event_files(texts: Sequence[str]) -> tuple[Path, ...]:
    """Return the files that names, folders and patterns mean, in the order of the texts.

    A folder stands for the event files directly in it, and a pattern (`*`, `?`, `[…]`, `**` for folders at any depth)
    for the event files that match it; both are sorted by name. A file that exists is no pattern.

    >>> event_files(["a.jsonl", "b.jsonl.gz"])
    (PosixPath('a.jsonl'), PosixPath('b.jsonl.gz'))

    Raises:
        ConfigurationError: a folder or a pattern without event files, or a file that is named twice.
    """
    paths = tuple(path for text in texts for path in _files(text))
    if problems := list(_repeats(paths)):
        raise ConfigurationError(problems)
    return paths


def is_event_file(path: Path) -> bool:
    """Return whether the name is that of an event file; hidden files are others' temporary files.

    A broken link counts: the source reports that it cannot read the file.
    """
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".") and not path.is_dir()


def is_pattern(text: str) -> bool:
    """Return whether a text is a pattern of names, and not the name of a file that exists."""
    return has_magic(text) and not os.path.lexists(text)


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode: the same for a file, a link to it, and another path to it; None without a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _files(text: str) -> tuple[Path, ...]:
    path = Path(text)
    if is_pattern(text):
        found = glob(text, recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
        return _found(text, [Path(path) for path in found], "the pattern")
    if not path.is_dir():
        return (path,)
    try:
        return _found(text, list(path.iterdir()), "the folder")
    except OSError as error:
        raise ConfigurationError(
            [f"source: the folder {path} cannot be read: {error.strerror}; make it readable"]
        ) from error


def _found(text: str, paths: Sequence[Path], kind: str) -> tuple[Path, ...]:
    found = tuple(sorted(path for path in paths if is_event_file(path)))
    if not found:
        raise ConfigurationError(
            [f"source: {kind} {text} has no file with a name in {', '.join(SUFFIXES)}; check the path"]
        )
    return found


def _repeats(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a problem for each file that is named again, also by a link or another path."""
    seen: dict[object, Path] = {}
    for path in paths:
        key = file_identity(path) or path
        if key in seen:
            yield f"source: {path} is the same file as {seen[key]}; name each file once"
        seen.setdefault(key, path)
