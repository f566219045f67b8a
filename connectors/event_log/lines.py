"""Whole lines of an event log, with a position that later runs compare with the file."""

import os
from pathlib import Path
from typing import NamedTuple

from connectors.files.block_sums import BlockSums, has_sums
from state.errors import GapError
from state.events.records import FileOrigin, Record
from tacit.contract.events import MAX_EVENT_BYTES

_LINE_BYTES = MAX_EVENT_BYTES + 1
"""Kept bytes of a longer line, as of a line of a replay."""
_READ_BYTES = 256 * 1024
_SUM_EVERY_BYTES = 1024 * 1024
_COMPARED_BYTES = 1024**3
"""Size up to which a log is compared whole, and above by samples."""
_FETCHES = 64
"""Reads of the file in one call: a call in a very long line takes less than a tenth of a second."""
_TAIL_BYTES = 64
"""Bytes before a read that are read again, and compared."""

REMEDY = (
    "put back the log that the run has read, whole and unchanged; or, to begin with this log, give a new state folder "
    "and another namespace"
)


class Position(NamedTuple):
    """Next byte to read in a log, and the sums of all bytes before."""

    byte: int = 0
    """Offset from 0, at the start of a line."""
    line: int = 1
    """Number of that line."""
    sums: tuple[str, ...] = ()
    """Sums of the blocks before (connectors.files.block_sums)."""


def require_same(path: Path, position: Position) -> None:
    """Compare a log with a position, up to which all bytes were read.

    Raises:
        GapError: the log was truncated, replaced or rewritten.
        OSError: the log cannot be read.
    """
    size = path.stat().st_size
    if size < position.byte:
        raise GapError(f"{path}: has {size:,} bytes, and the run has read {position.byte:,}; {REMEDY}")
    if not has_sums(path, position.byte, position.sums, sampled=position.byte > _COMPARED_BYTES):
        raise GapError(f"{path}: has other contents than the run has read; {REMEDY}")


class WholeLines:
    """Whole lines of an open log from a position on.

    Records equal those of a replay of the file: a line over 16 KiB becomes a record of 16 KiB + 1 byte.
    """

    def __init__(self, path: Path, file: int, position: Position) -> None:
        """Take an open file.

        Args:
            path: path of the log, for records and errors.
            file: file descriptor.
            position: position to read from, which the file has.
        """
        self._path = path
        self._file = file
        self._origin = FileOrigin(str(path))
        self.byte = position.byte
        """Offset of the next line."""
        self._line = position.line
        self._sums = BlockSums.resumed(position.sums, path, position.byte)
        self._held = b""
        """Bytes from the next line on that are read; of a long line, the first ones and none of the middle."""
        self._skipped = 0
        """Bytes of the middle that are not held."""
        self._fetched = position.byte
        self._tail = os.pread(file, min(_TAIL_BYTES, position.byte), max(0, position.byte - _TAIL_BYTES))

    @property
    def position(self) -> Position:
        """Position of the next line."""
        self._sum()
        return Position(self.byte, self._line, tuple(self._sums.sums))

    def read(self, end: int, most: int) -> list[Record]:
        """Return up to `most` next lines before the offset `end`; an empty list also within a long line.

        Raises:
            GapError: the bytes before the next ones are no longer those that were read.
            OSError: the log cannot be read.
        """
        records: list[Record] = []
        begin = fetches = 0
        while len(records) < most:
            newline = self._held.find(b"\n", begin)
            if newline < 0:
                if records or fetches == _FETCHES or not self._fetch(end):
                    break
                fetches += 1
                continue
            records.append(Record(self._origin, self._line, self._held[begin : min(newline, begin + _LINE_BYTES)]))
            self.byte += newline + 1 - begin + self._skipped
            self._line += 1
            self._skipped, begin = 0, newline + 1
        self._held = self._held[begin:]
        if self.byte - self._sums.bytes > _SUM_EVERY_BYTES:
            self._sum()
        return records

    def has_more(self, end: int) -> bool:
        """Return whether a call of `read` would read the file, or return a line."""
        return self._fetched < end or b"\n" in self._held

    def _fetch(self, end: int) -> bool:
        """Read the next bytes before `end` behind the held ones; return whether there are any."""
        if self._fetched >= end:
            return False
        tail = len(self._tail)
        data = os.pread(self._file, tail + min(_READ_BYTES, end - self._fetched), self._fetched - tail)
        if data[:tail] != self._tail:
            raise GapError(f"{self._path}: has other contents than the run has read; {REMEDY}")
        self._held += data[tail:]
        self._fetched += len(data) - tail
        self._tail = data[-_TAIL_BYTES:]
        if len(self._held) > _READ_BYTES and b"\n" not in self._held:
            self._skipped += len(self._held) - _LINE_BYTES
            self._held = self._held[:_LINE_BYTES]
        return len(data) > tail

    def _sum(self) -> None:
        """Add the bytes up to the next line to the sums."""
        while left := self.byte - self._sums.bytes:
            data = os.pread(self._file, min(left, _SUM_EVERY_BYTES), self._sums.bytes)
            if not data:
                raise GapError(f"{self._path}: was truncated while the run read it; {REMEDY}")
            self._sums.add(memoryview(data))


def lines_between(file: int, begin: int, end: int) -> int:
    """Return the number of whole lines of a file between two offsets; beyond 256 KiB, an estimate.

    Raises:
        OSError: the file cannot be read.
    """
    found = os.pread(file, max(0, min(_READ_BYTES, end - begin)), begin)
    lines = found.count(b"\n")
    return lines * (end - begin) // _READ_BYTES if len(found) == _READ_BYTES else lines
