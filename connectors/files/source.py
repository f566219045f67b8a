"""Event files as a Bytewax source: one sequence of records that goes on after a restart where it stopped."""

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
"""The open file's index and its `Position`, as plain values: what is stored outlives a renamed class."""


class FileSource(FixedPartitionedSource[Record, Snapshot]):
    """Lines of `.jsonl`, `.jsonl.gz` and `.jsonl.zst` files, in the order given, as one partition.

    A user's events keep their order across files, so one worker reads all of them and the others only compute;
    every process must see the files.
    Blank lines are records too (they are rejected further on, with a reason), and a last line needs no newline.
    Of a line longer than 16 KiB the first 16 KiB + 1 byte are handed on: its sha256 is of that beginning.
    Once `stop` is set the source ends with the batch at hand.

    Raises:
        SourceError: a file is missing or of another kind; while reading: it is damaged, or it is not the file
            that an earlier run stopped in.
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
        """Name the one partition."""
        return ["files"]

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> "FilesPartition":  # noqa: ARG002  Bytewax passes all three
        """Open the first file, or the one that an earlier run stopped in."""
        return FilesPartition(self._paths, resume_state, self._stop, self._counters, self._batch_size)


class FilesPartition(StatefulSourcePartition[Record, Snapshot]):
    """All files, one after the other; one of them is open."""

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
                f"the earlier run stopped in file number {self._index + 1}, but only {len(paths)} are given; "
                "give the same files in the same order, or start afresh with a new state folder"
            )
        self._file = LineReader(paths[self._index], position and Position(*position))

    def next_batch(self) -> list[Record]:
        """Return the next lines, never of two files at once."""
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
        """Return the place of the next line."""
        self._counters.stopped(time.monotonic())
        byte, line, size, head = self._file.position
        return self._index, (byte, line, size, head)

    def close(self) -> None:
        """Close the file that is open."""
        self._file.close()


def _problems(paths: Sequence[Path]) -> list[str]:
    if not paths:
        return ["no files were given; name at least one"]
    found = [f"{path}: there is no such file; check the path" for path in paths if not path.is_file()]
    return found + [
        f"{path}: not an event file; its name must end in {', '.join(SUFFIXES)}"
        for path in paths
        if not path.name.endswith(SUFFIXES)
    ]
