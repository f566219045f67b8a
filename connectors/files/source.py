"""Event files as a Bytewax source that resumes after a restart."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.files.line_reader import LineReader, Position
from state.counters import SourceCounters
from state.errors import SourceError
from state.events.records import Record

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")

Snapshot = tuple[int, tuple[int, int, int, str]]
"""Index of the open file and its `Position`, as plain values: a stored snapshot survives a renamed class."""


class FileSource(FixedPartitionedSource[Record, Snapshot]):
    """Lines of `.jsonl`, `.jsonl.gz` and `.jsonl.zst` files, in the order of the paths, as one partition.

    One worker reads all files, which keeps the order of a user's events across files; every process must see the files.
    A blank line is a record too: the parser rejects it. The last line needs no newline.
    A line longer than 16 KiB becomes a record of 16 KiB + 1 byte; the sha256 of its reject covers those bytes.
    After `stop` is set, the source ends.

    Raises:
        SourceError: a file is missing or has another suffix; during a read, a file is damaged or is not the file in
            which an earlier run stopped.
    """

    def __init__(
        self, paths: Sequence[Path], *, stop: threading.Event, counters: SourceCounters, batch_size: int = 1000
    ) -> None:
        if problems := _problems(paths):
            raise SourceError("\n".join(problems))
        self._paths = tuple(paths)
        self._stop = stop
        self._counters = counters
        self._batch_size = batch_size

    def list_parts(self) -> list[str]:
        """Return the name of the one partition."""
        return ["files"]

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> "FilesPartition":  # noqa: ARG002  Bytewax passes all three
        """Open the first file, or the file in which an earlier run stopped."""
        return FilesPartition(self._paths, resume_state, self._stop, self._counters, self._batch_size)


class FilesPartition(StatefulSourcePartition[Record, Snapshot]):
    """Files in sequence, of which one is open."""

    def __init__(
        self,
        paths: tuple[Path, ...],
        resume_state: Snapshot | None,
        stop: threading.Event,
        counters: SourceCounters,
        batch_size: int,
    ) -> None:
        self._paths = paths
        self._stop = stop
        self._counters = counters
        self._batch_size = batch_size
        self._index, position = resume_state or (0, None)
        if self._index >= len(paths):
            raise SourceError(
                f"the earlier run stopped in file number {self._index + 1}, and the source has {len(paths)} files; "
                "pass the same files in the same order, or use a new state folder"
            )
        self._file = LineReader(paths[self._index], position and Position(*position))

    def next_batch(self) -> list[Record]:
        """Return the next lines, all of one file."""
        self._counters.reads_again(time.monotonic())
        if self._stop.is_set():
            raise StopIteration
        while not (records := self._read()):
            self._open_next()
        return records

    def _read(self) -> list[Record]:
        start = self._file.position.byte
        records = self._file.read(self._batch_size)
        self._counters.records += len(records)
        self._counters.bytes += self._file.position.byte - start
        self._counters.progressed_at = time.monotonic()
        return records

    def _open_next(self) -> None:
        if self._index + 1 == len(self._paths):
            raise StopIteration
        self._file.close()
        self._index += 1
        self._file = LineReader(self._paths[self._index])

    def snapshot(self) -> Snapshot:
        """Return the position of the next line."""
        self._counters.stopped(time.monotonic())
        byte, line, size, head = self._file.position
        return self._index, (byte, line, size, head)

    def close(self) -> None:
        """Close the open file."""
        self._file.close()


def _problems(paths: Sequence[Path]) -> list[str]:
    if not paths:
        return ["no source file; name at least one"]
    found = [f"{path}: there is no such file; check the path" for path in paths if not path.is_file()]
    return found + [
        f"{path}: not an event file; its name must end in {', '.join(SUFFIXES)}"
        for path in paths
        if not path.name.endswith(SUFFIXES)
    ]
