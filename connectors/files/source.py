"""Event files as a Bytewax source that resumes after a restart."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.files.line_reader import LineReader, Position, read_start
from connectors.files.opened_file import StoppedError
from connectors.files.paths import STDIN, SUFFIXES
from connectors.files.remembered import ReadFiles
from connectors.files.window import WINDOW_MIB
from state.counters import SourceCounters
from state.errors import SourceError
from state.events.records import Record

Snapshot = tuple[int, tuple[int | str, ...]]
"""Index of the open file and its `Position`, as plain values: a stored snapshot survives a renamed class."""


class FileSource(FixedPartitionedSource[Record, Snapshot]):
    """Lines of `.jsonl`, `.jsonl.gz` and `.jsonl.zst` files, in the order of the paths, as one partition.

    One worker reads all files, which keeps the order of a user's events across files; every process must see the files.
    A blank line is a record too: the parser rejects it. The last line needs no newline.
    A line longer than 16 KiB becomes a record of 16 KiB + 1 byte; the sha256 of its reject covers those bytes.
    After `stop` is set, the source ends.

    With `folder`, a later run resumes: the folder remembers the files, and the last line of the last file waits for
    that run if it is unfinished.

    Raises:
        SourceError: a file is missing or has another suffix; during a read, a file is damaged or is not the file in
            which an earlier run stopped.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        stop: threading.Event,
        counters: SourceCounters,
        batch_size: int = 1000,
        folder: Path | None = None,
        window_mib: int = WINDOW_MIB,
    ) -> None:
        if problems := _problems(paths):
            raise SourceError("\n".join(problems))
        self._paths = tuple(paths)
        self._stop = stop
        self._counters = counters
        self._batch_size = batch_size
        self._folder = folder
        self._window_mib = window_mib

    def list_parts(self) -> list[str]:
        """Return the name of the one partition."""
        return ["files"]

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> "FilesPartition":  # noqa: ARG002  Bytewax passes all three
        """Open the first file, or the file in which an earlier run stopped."""
        files = _Files(self._paths, self._folder, self._window_mib, self._stop)
        return FilesPartition(files, resume_state, self._stop, self._counters, self._batch_size)


class _Files:
    """Files in sequence, of which one is open."""

    def __init__(self, paths: tuple[Path, ...], folder: Path | None, window_mib: int, stop: threading.Event) -> None:
        self.paths = paths
        self.index = 0
        self.has_ended = False
        self._read = ReadFiles(folder) if folder else None
        self._window_mib = window_mib
        self._stop = stop

    @property
    def is_last(self) -> bool:
        """Return whether no file follows."""
        return self.index + 1 == len(self.paths)

    def open(self, index: int, position: Position | None = None) -> LineReader:
        """Open a file, from a position on."""
        path, self.index = self.paths[index], index
        sums = self._read.open(index, self.paths, read_start(path, position).byte) if self._read else None
        return LineReader(
            path,
            position,
            holds_back=self._read is not None and self.is_last,
            window_mib=self._window_mib,
            sums=sums,
            stop=self._stop,
        )

    def note(self, file: LineReader) -> None:
        """Note the open file as far as it is read."""
        if self._read:
            self._read.note(self.index, file.position.line - 1)

    def remember(self, file: LineReader) -> None:
        """Write all notes into the folder."""
        if self._read:
            self.note(file)
            self._read.write(has_ended=self.has_ended)


class FilesPartition(StatefulSourcePartition[Record, Snapshot]):
    """Lines of files in sequence."""

    def __init__(
        self,
        files: _Files,
        resume_state: Snapshot | None,
        stop: threading.Event,
        counters: SourceCounters,
        batch_size: int,
    ) -> None:
        self._files = files
        self._stop = stop
        self._counters = counters
        self._batch_size = batch_size
        index, position = resume_state or (0, None)
        if index >= len(files.paths):
            raise SourceError(
                f"the earlier run stopped in file number {index + 1}, and the source has {len(files.paths)} files; "
                "pass the same files in the same order, or start over with --again"
            )
        self._file = files.open(index, Position(*position) if position else None)  # type: ignore[arg-type]  # a Position's members
        self._stored_before = sum(_size(path) for path in files.paths[:index])

    def next_batch(self) -> list[Record]:
        """Return the next lines, all of one file; none while a long line is skipped."""
        return self.take(self._batch_size)

    def take(self, most: int) -> list[Record]:
        """Return up to `most` next lines; as `next_batch`."""
        self._counters.reads_again(time.monotonic())
        while True:
            if self._stop.is_set():
                raise StopIteration
            records = self._read(min(most, self._batch_size))
            if records or not self._file.ended:
                return records
            self._open_next()

    def hold(self) -> None:
        """Have no effect: the one partition has nothing to wait for."""

    def _read(self, most: int) -> list[Record]:
        start = self._file.position.byte
        try:
            records = self._file.read_some(most)
        except StoppedError:
            raise StopIteration from None
        self._counters.records += len(records)
        self._counters.bytes += self._file.position.byte - start
        self._counters.stored_bytes = self._stored_before + self._file.stored_bytes
        self._counters.progressed_at = time.monotonic()
        return records

    def _open_next(self) -> None:
        if self._files.is_last:
            self._counters.held_back = int(self._file.held_back)
            self._files.has_ended = True
            raise StopIteration
        self._files.note(self._file)
        self._file.close()
        self._stored_before += _size(self._files.paths[self._files.index])
        self._file = self._files.open(self._files.index + 1)

    def snapshot(self) -> Snapshot:
        """Return the position of the next line."""
        self._counters.stopped(time.monotonic())
        self._files.remember(self._file)
        return self._files.index, tuple(self._file.position)

    def close(self) -> None:
        """Close the open file."""
        self._file.close()


def _size(path: Path) -> int:
    """Return the bytes of a file on disk; 0 for stdin."""
    return path.stat().st_size if path.is_file() else 0


def _problems(paths: Sequence[Path]) -> list[str]:
    if not paths:
        return ["no source file; name at least one"]
    return [problem for path in paths if path != STDIN and (problem := _problem(path))]


def _problem(path: Path) -> str | None:
    if not path.exists():
        return f"{path}: there is no such file; check the path"
    if not path.is_file():
        return f"{path}: is a device, a pipe or a folder, and not an event file; name a file, or - for stdin"
    if not path.name.endswith(SUFFIXES):
        return f"{path}: not an event file; its name must end in {', '.join(SUFFIXES)}"
    return None
