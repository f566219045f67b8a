"""Lines of one file, plain or compressed, in batches, with a position from which a later run resumes."""

from enum import IntEnum
from hashlib import blake2b
from pathlib import Path
from threading import Event
from typing import NamedTuple

import msgspec

from connectors.files.block_sums import BlockSums
from connectors.files.decompression import ERRORS, Decompressed, LargeWindowError
from connectors.files.opened_file import FRAMES, Start, open_file, open_stdin
from connectors.files.paths import STDIN
from connectors.files.window import MAX_WINDOW_MIB, WINDOW_MIB
from state.errors import SourceError
from state.events.records import FileOrigin, Record
from tacit.contract.events import MAX_EVENT_BYTES

_LINE_BYTES = MAX_EVENT_BYTES + 1
"""Kept bytes of a longer line: enough for the reject reason `too_large`."""

_HEAD_BYTES = 4096
_SKIP_BYTES = 64 * 1024 * 1024
"""Bytes of a long line that one read skips: a read takes less than a tenth of a second."""
_PART_BYTES = 256 * 1024
_NEWLINE = ord("\n")


class Rest(IntEnum):
    """Text between a position and the next line."""

    NONE = 0
    """The position is the start of a line."""
    UNENDED = 1
    """The last line had no newline when it was read."""
    LONG = 2
    """The rest of a line that is too long, which is not kept."""


class Position(NamedTuple):
    """Next byte to read in a file, and a fingerprint of the file."""

    byte: int
    """Offset from 0 in the uncompressed text."""
    line: int
    """Number of the next line, from 1."""
    size: int
    """Size of the file on disk, in bytes."""
    head: str
    """Hash of the first `min(size, 4096)` bytes on disk."""
    rest: int = Rest.NONE
    frame: int = 0
    """Of a compressed file: offset on disk of the frame with the byte."""
    frame_byte: int = 0
    """Offset of the text of that frame."""


class LineReader:
    """Open file with the position of the next line.

    Raises:
        SourceError: the file cannot be opened, is damaged, or differs from the file of `resume_at`.
            `read` returns all whole lines before the damage first.
    """

    def __init__(
        self,
        path: Path,
        resume_at: Position | None = None,
        *,
        holds_back: bool = False,
        window_mib: int = WINDOW_MIB,
        sums: BlockSums | None = None,
        stop: Event | None = None,
    ) -> None:
        """Open a file.

        Args:
            path: the file; `-` is stdin, which has no position to resume from.
            resume_at: position of an earlier run.
            holds_back: keeps an unfinished last line for a later run: one without a newline that is no JSON object.
            window_mib: largest window of a zstd file.
            sums: gets the bytes on disk as they are read, from those before the position on.
            stop: ends a wait for stdin.
        """
        self._path = path
        self._origin = FileOrigin("stdin" if path == STDIN else str(path))
        self._holds_back = holds_back
        self._damage: SourceError | None = None
        self._byte, self._line, self._rest = 0, 1, Rest.NONE
        self._size, self._head = 0, ""
        self.held_back = False
        """The last line is unfinished, and waits for a later run."""
        self.ended = False
        """The end of the file was read."""
        self._start = read_start(path, resume_at)
        try:
            if path == STDIN:
                self._text = open_stdin(stop or Event(), window_mib)
            else:
                self._size = path.stat().st_size
                self._head = _head(path, self._size)
                self._text = open_file(path, self._start, sums, window_mib)
        except OSError as error:
            raise SourceError(
                f"{path}: cannot be read: {error.strerror}; make the file readable, and run again"
            ) from error
        self._frames = self._text.raw if isinstance(self._text.raw, Decompressed) else None
        if resume_at:
            self._resume_or_close(resume_at)

    @property
    def position(self) -> Position:
        """Next byte to read."""
        frame = self._start if self._frames else (0, 0)
        return Position(self._byte, self._line, self._size, self._head, int(self._rest), *frame)

    @property
    def stored_bytes(self) -> int:
        """Number of bytes on disk that were read, at most one buffer ahead of the position."""
        return self._frames.stored_bytes if self._frames else self._byte

    def close(self) -> None:
        """Close the file."""
        self._text.close()

    def read(self, most: int) -> list[Record]:
        """Return the next `most` lines, fewer only before the end or before damage; an empty list at the end."""
        while not (records := self.read_some(most)) and not self.ended:
            pass
        return records

    def read_some(self, most: int) -> list[Record]:
        """Return the same, in a limited time: an empty list is the end only if `ended` is set, too."""
        if self._damage:
            raise self._damage
        records: list[Record] = []
        try:
            if not self._rest or self._is_past_rest(records):
                self._read_into(records, most)
        except ERRORS as error:
            self._damage = self._damaged(error)
            self.close()
            if not records:
                raise self._damage from error
        if self._frames:
            self._start = Start(*self._frames.frame_start(self._byte))
        return records

    def _read_into(self, records: list[Record], most: int) -> None:
        readline, append, origin = self._text.readline, records.append, self._origin
        for line in range(self._line, self._line + most):
            text = readline(_LINE_BYTES + 1)
            if not text:
                self.ended = True
                return
            length = len(text)
            if text[-1] == _NEWLINE:
                text = text[:-1]
            elif length > _LINE_BYTES:
                text = text[:-1]
                self._rest = Rest.LONG
            elif self._holds_back and not _is_object(text):
                self.held_back = self.ended = True
                return
            else:
                self._rest = Rest.UNENDED
            append(Record(origin, line, text))
            self._byte += length
            self._line = line + 1
            if self._rest:
                return

    def _is_past_rest(self, records: list[Record]) -> bool:
        """Read the text before the next line, and return whether the next line comes now."""
        return self._skip_long_line() if self._rest == Rest.LONG else self._end_line(records)

    def _end_line(self, records: list[Record]) -> bool:
        """Take the newline of a line that had none. More than blanks before it is no part of the line that was read."""
        text = self._text.readline(_LINE_BYTES + 1)
        self._byte += len(text)
        self.ended = not text
        if text.strip():
            records.append(Record(self._origin, self._line - 1, text[:_LINE_BYTES].removesuffix(b"\n")))
        if text.endswith(b"\n"):
            self._rest = Rest.NONE
        elif len(text) > _LINE_BYTES:
            self._rest = Rest.LONG
        return not self._rest

    def _skip_long_line(self) -> bool:
        """Skip text up to the next newline, within a limit."""
        for _ in range(_SKIP_BYTES // _PART_BYTES):
            part = self._text.readline(_PART_BYTES)
            self._byte += len(part)
            if not part:
                self.ended = True
                return False
            if part[-1] == _NEWLINE:
                self._rest = Rest.NONE
                return True
        return False

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
        self._byte, self._line, self._rest = at.byte, at.line, Rest(at.rest)
        if at.byte > self._start.text_byte:
            self._go_to(at.byte)

    def _go_to(self, byte: int) -> None:
        """Read up to an offset of the text; the text before it must end as it ended in the earlier run."""
        try:
            count = byte - 1 - self._start.text_byte
            while count and (part := self._text.read(min(count, _PART_BYTES))):
                count -= len(part)
            last = self._text.read(1)
            if self._rest == Rest.NONE and last != b"\n" and not self._text.peek(1):
                self._rest = Rest.UNENDED  # positions of earlier versions have no `rest`
        except ERRORS as error:
            raise self._damaged(error) from error
        if not last or (last == b"\n") is not (self._rest == Rest.NONE):
            raise self._changed()

    def _damaged(self, error: Exception) -> SourceError:
        if isinstance(error, LargeWindowError):
            allow = f"allow it by --zstd-window-mib {error.mib}, or " if error.mib <= MAX_WINDOW_MIB else ""
            return SourceError(
                f"{self._path}: needs a zstd window of {error.mib} MiB in line {self._line}, and so as much memory; "
                f"{allow}compress the file again with a smaller window"
            )
        return SourceError(
            f"{self._path}: is damaged or truncated in line {self._line}: {error}. All earlier lines are read; "
            "replace the file by a whole copy, and run again to resume from this line"
        )

    def _changed(self) -> SourceError:
        return SourceError(
            f"{self._path}: is not the file in which the earlier run stopped, or has other contents now; "
            "pass the same files in the same order, or start over with --again"
        )


def read_start(path: Path, resume_at: Position | None) -> Start:
    """Return the offsets from which a reader reads that resumes: a byte, or a frame, before its position."""
    if resume_at is None:
        return Start()
    if path.suffix in FRAMES:
        return Start(resume_at.frame, resume_at.frame_byte)
    before = max(0, resume_at.byte - 1)
    return Start(before, before)


def _is_object(text: bytes) -> bool:
    """Return whether a line without a newline is whole: a part of a JSON object is none."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _head(path: Path, size: int) -> str:
    with path.open("rb") as file:
        return blake2b(file.read(min(size, _HEAD_BYTES)), digest_size=16).hexdigest()
