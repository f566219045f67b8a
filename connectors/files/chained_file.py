"""Append-only file of lines that depend on each other, with the newest line noted in a second file.

FILE        the lines
FILE.head   the last line that was appended, in short; also the lock of all writers
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from state.errors import SinkError, SourceError

MAX_LINE_BYTES = 64 * 1024


class Tail(NamedTuple):
    """End of the file before an append."""

    lines: tuple[bytes, ...]
    """The last whole lines, oldest first; at most `MAX_LINE_BYTES` of them."""
    torn: bytes
    """Bytes behind the last newline: a line that a crash cut off."""
    head: bytes
    """Content of the head file; empty without one."""


class Append(NamedTuple):
    """Lines to append, and the new content of the head file."""

    lines: tuple[bytes, ...]
    head: bytes


class ChainedFile:
    """File to which writers of any number of processes append in turns; an append is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def require(self) -> None:
        """Check that the file can be written.

        Raises:
            SinkError: the file or its folder cannot be written.
        """
        with self._errors(), self._locked():
            os.close(self._open())

    def append(self, compose: Callable[[Tail], Append]) -> None:
        """Append the lines that `compose` makes from the end of the file.

        Raises:
            SinkError: the file cannot be written, or the disk is full.
        """
        with self._errors(), self._locked() as head:
            descriptor = self._open()
            try:
                tail = _tail(descriptor, os.pread(head, MAX_LINE_BYTES, 0))
                added = compose(tail)
                _append(descriptor, (b"\n" if tail.torn else b"") + b"".join(line + b"\n" for line in added.lines))
            finally:
                os.close(descriptor)
            os.pwrite(head, added.head, 0)
            os.ftruncate(head, len(added.head))
            os.fsync(head)

    def read_head(self) -> bytes:
        """Return the content of the head file; empty without one."""
        try:
            return head_path(self._path).read_bytes()
        except FileNotFoundError:
            return b""

    def lines(self) -> Iterator[bytes]:
        """Yield the lines; the last one may be torn.

        Raises:
            SourceError: the file cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                for line in file:
                    yield line.removesuffix(b"\n")
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror}; correct the path") from error

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = os.open(head_path(self._path), os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SinkError(
                f"{self._path}: cannot be written: {error.strerror}; "
                "free disk space, or name a file in a folder that exists and is writable"
            ) from error


def head_path(path: Path) -> Path:
    """Return the path of the head file.

    >>> head_path(Path("audit.jsonl"))
    PosixPath('audit.jsonl.head')
    """
    return path.with_name(f"{path.name}.head")


def _tail(descriptor: int, head: bytes) -> Tail:
    size = os.fstat(descriptor).st_size
    start = max(0, size - MAX_LINE_BYTES)
    *whole, torn = os.pread(descriptor, size - start, start).split(b"\n")
    return Tail(tuple(whole if start == 0 else whole[1:]), torn, head)


def _append(descriptor: int, data: bytes) -> None:
    """Write all bytes or none, and return when they are on disk."""
    size = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
