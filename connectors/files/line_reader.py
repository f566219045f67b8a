"""Lines of one file, plain or compressed, in batches, with a position from which a later run resumes."""

import io
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from connectors.files.decompression import ERRORS, Decompressed, Frame, LargeWindowError, gzip_member, zstd_frame
from state.errors import SourceError
from state.events.records import FileOrigin, Record
from tacit.contract.events import MAX_EVENT_BYTES

_LINE_BYTES = MAX_EVENT_BYTES + 1
"""Kept bytes of a longer line: enough for the reject reason `too_large`."""

_BUFFER_BYTES = 256 * 1024
_HEAD_BYTES = 4096
_NEWLINE = ord("\n")


FRAMES: dict[str, Callable[[], Frame]] = {".gz": gzip_member, ".zst": zstd_frame}


class Position(NamedTuple):
    """Start of the next line in a file, and a fingerprint of the file."""

    byte: int
    """Offset from 0 in the uncompressed text."""
    line: int
    """Number of the line, from 1."""
    size: int
    """Size of the file on disk, in bytes."""
    head: str
    """Hash of the first `min(size, 4096)` bytes on disk."""


class LineReader:
    """Open file with the position of the next line.

    Raises:
        SourceError: the file cannot be opened, is damaged, or differs from the file of `resume_at`.
            `read` returns all whole lines before the damage first.
    """

    def __init__(self, path: Path, resume_at: Position | None = None) -> None:
        self._path = path
        self._origin = FileOrigin(str(path))
        self._damage: SourceError | None = None
        self._byte = 0
        self._line = 1
        try:
            self._size = path.stat().st_size
            self._head = _head(path, self._size)
            self._text = _open(path)
        except OSError as error:
            raise SourceError(
                f"{path}: cannot be read: {error.strerror}; make the file readable, and run again"
            ) from error
        if resume_at:
            self._resume_or_close(resume_at)

    @property
    def position(self) -> Position:
        """Start of the next line."""
        return Position(self._byte, self._line, self._size, self._head)

    def close(self) -> None:
        """Close the file."""
        self._text.close()

    def read(self, most: int) -> list[Record]:
        """Return the next `most` lines, fewer only before the end or before damage; an empty list at the end."""
        if self._damage:
            raise self._damage
        records: list[Record] = []
        try:
            self._read_into(records, most)
        except ERRORS as error:
            self._damage = self._damaged(error)
            self.close()
            if not records:
                raise self._damage from error
        return records

    def _read_into(self, records: list[Record], most: int) -> None:
        readline, append, origin = self._text.readline, records.append, self._origin
        for line in range(self._line, self._line + most):
            text = readline(_LINE_BYTES + 1)
            if not text:
                return
            length = len(text)
            if text[-1] == _NEWLINE:
                text = text[:-1]
            elif length > _LINE_BYTES:
                text = text[:-1]
                length += self._skip_line()
            append(Record(origin, line, text))
            self._byte += length
            self._line = line + 1

    def _skip_line(self) -> int:
        skipped = 0
        while part := self._text.readline(_BUFFER_BYTES):
            skipped += len(part)
            if part[-1] == _NEWLINE:
                break
        return skipped

    def _resume_or_close(self, at: Position) -> None:
        try:
            self._resume(at)
        except SourceError:
            self.close()
            raise

    def _resume(self, at: Position) -> None:
        """Seek to a position of an earlier run; the file may be longer than then, with the same bytes up to there."""
        if self._size < at.size or _head(self._path, at.size) != at.head:
            raise self._changed()
        if at.byte and not self._is_boundary(at.byte):
            raise self._changed()
        self._byte, self._line = at.byte, at.line

    def _is_boundary(self, byte: int) -> bool:
        """Seek to `byte`, and return True if a line starts or the file ends there."""
        try:
            self._skip(byte - 1)
            last = self._text.read(1)
            return last == b"\n" or (last != b"" and not self._text.peek(1))
        except ERRORS as error:
            raise self._damaged(error) from error

    def _skip(self, count: int) -> None:
        if isinstance(self._text.raw, io.FileIO):
            self._text.seek(count)
            return
        while count and (part := self._text.read(min(count, _BUFFER_BYTES))):
            count -= len(part)

    def _damaged(self, error: Exception) -> SourceError:
        if isinstance(error, LargeWindowError):
            return SourceError(
                f"{self._path}: needs a zstd window above 128 MiB in line {self._line}; decompress it first, as by "
                "zstd -d --long=31, or compress it with a smaller window"
            )
        return SourceError(
            f"{self._path}: is damaged or truncated in line {self._line}: {error}. All earlier lines are read; "
            "replace the file by a whole copy, and run again to resume from this line"
        )

    def _changed(self) -> SourceError:
        return SourceError(
            f"{self._path}: is not the file in which the earlier run stopped, or has other contents now; "
            "pass the same files in the same order, or use a new state folder"
        )


def _open(path: Path) -> io.BufferedReader:
    file = path.open("rb", buffering=0)
    new_frame = FRAMES.get(path.suffix)
    raw = file if new_frame is None else Decompressed(file, new_frame)
    return io.BufferedReader(raw, _BUFFER_BYTES)


def _head(path: Path, size: int) -> str:
    with path.open("rb") as file:
        return blake2b(file.read(min(size, _HEAD_BYTES)), digest_size=16).hexdigest()
