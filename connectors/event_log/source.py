"""Event log as a Bytewax source without an end, which resumes after a restart."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.event_log.end import LogEnd
from connectors.event_log.lines import Position, WholeLines, lines_between, require_same
from state.counters import SourceCounters
from state.errors import SourceError
from state.events.records import Record

PART = "log"
"""Name of the one partition."""

Snapshot = tuple[int, int, tuple[str, ...]]
"""A `Position` as plain values: a stored snapshot survives a renamed class."""

_BATCH_RECORDS = 500
_MEASURE_EVERY_S = 0.25


class EventLogSource(FixedPartitionedSource[Record, Snapshot]):
    """Lines of an event log, from the first one or from the position of an earlier run.

    An unfinished last line waits for the newline. A checkpoint is never ahead of the log on disk. After `stop` is set,
    the source ends in order.

    Raises:
        SourceError: the log is missing or unreadable.
        GapError: the log lost or changed bytes that the run has read.
    """

    partitions = 1

    def __init__(self, path: Path, *, stop: Event, counters: SourceCounters) -> None:
        self._path = path
        self._stop = stop
        self._counters = counters

    def list_parts(self) -> list[str]:
        """Return the name of the one partition, once the log is there."""
        if not self._path.is_file():
            raise SourceError(f"{self._path}: there is no such file; make an empty one, or correct the path")
        return [PART]

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> "EventLogPartition":  # noqa: ARG002  Bytewax passes all three
        """Open the log at a position, after a comparison with what was read."""
        position = Position(*resume_state) if resume_state else Position()
        try:
            require_same(self._path, position)
            return EventLogPartition(self._path, position, self._stop, self._counters)
        except OSError as error:
            raise _unreadable(self._path, error) from error


class EventLogPartition(StatefulSourcePartition[Record, Snapshot]):
    """The lines of a log, as the dataflow reads them."""

    def __init__(self, path: Path, position: Position, stop: Event, counters: SourceCounters) -> None:
        self._path = path
        self._stop = stop
        self._counters = counters
        self._file = os.open(path, os.O_RDONLY)
        self._lines = WholeLines(path, self._file, position)
        self._end = LogEnd(path, self._file, position.byte, self._measure)
        self._measured_at = 0.0
        self._synced = position.byte
        self.has_caught_up = False
        """True once the dataflow has taken every whole line that the log held at the start of the source."""
        self._end.start()

    def next_batch(self) -> list[Record]:
        """Return the next whole lines; none until there are more.

        Raises:
            SourceError: the log cannot be read.
            GapError: the log lost or changed bytes that were read.
        """
        self._counters.reads_again(monotonic())
        if self._stop.is_set():
            raise StopIteration
        self._end.raise_failure()
        looked_at, before = self._end.looked_at, self._lines.byte
        try:
            records = self._lines.read(self._end.bytes, _BATCH_RECORDS)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        counters = self._counters
        if records:
            counters.records += len(records)
            counters.bytes += self._lines.byte - before
            counters.progressed_at = monotonic()
        elif looked_at:
            self.has_caught_up |= not self._lines.has_more(self._end.bytes)  # an empty batch may be in a long line
            counters.progressed_at = max(counters.progressed_at, looked_at)
        return records

    def next_awake(self) -> datetime | None:
        """Return None while bytes are unread, else the time of the next look at the end."""
        if self._lines.has_more(self._end.bytes):
            return None
        return datetime.now(UTC) + timedelta(seconds=self._end.pause_s)

    def snapshot(self) -> Snapshot:
        """Return the position of the next line, once the lines before it are on disk."""
        self._counters.stopped(monotonic())
        try:
            if self._lines.byte != self._synced:
                os.fdatasync(self._file)
                self._synced = self._lines.byte
            at = self._lines.position
            return at.byte, at.line, at.sums
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def close(self) -> None:
        """Close the log."""
        self._end.close()
        os.close(self._file)

    def _measure(self, file: int, size: int) -> None:
        """Measure the lag, a few times a second; in the thread that looks at the end."""
        name, byte, now = self._path.name, self._lines.byte, monotonic()
        if size > byte and now - self._measured_at < _MEASURE_EVERY_S:
            return
        self._measured_at = now
        self._counters.lag[name] = lines_between(file, byte, size)
        self._counters.lag_bytes[name] = size - byte


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path}: cannot be read: {error.strerror}; make the file readable, and run again")
