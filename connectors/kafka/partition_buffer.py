"""Buffer of one partition: a bounded queue of chunks between the fetcher and the dataflow."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from connectors.kafka.positions import Mark, Position, time_ms, with_mark
from connectors.kafka.trace_context import with_trace_contexts
from state.events.records import KafkaOrigin, Record

BATCH_RECORDS = 500
"""A batch of this size is handed over; the last chunk may double the size."""
MAX_BATCH_RECORDS = 2 * BATCH_RECORDS

SLICE_MS = 15 * 60 * 1000
"""Length of a slice of Kafka time. A bounded read keeps its partitions within one slice of each other."""

_FULL_BYTES = 4 * 1024 * 1024
_ROOM_BYTES = _FULL_BYTES // 2
_RECORD_OVERHEAD_BYTES = 200  # a Record, its offset and the header of its bytes


class Chunk(NamedTuple):
    """Consecutive records of one slice of Kafka time; empty for transaction markers."""

    records: list[Record]
    value_bytes: int
    next_offset: int
    slice: int
    jump: Position | None = None
    """Position behind a gap, which begins here."""


class PartitionBuffer:
    """Records of one partition, fetched and not yet taken: the fetcher appends, the dataflow takes.

    There is no lock: `append` and `popleft` of a deque are atomic, and each number has one writer.
    A take frees memory; the buffer holds at most `_FULL_BYTES` and one fetch.
    """

    def __init__(self, origin: KafkaOrigin, position: Position, *, sliced: bool, samples: bool = False) -> None:
        self.origin = origin
        self.offset = position.offset
        """Next offset for the dataflow."""
        self.stop = position.stop
        self.fetched = self.offset
        """Next offset for the fetcher."""
        self.end = position.end
        """Highest end of the partition that was seen."""
        self.unverified = position.marks[-1] if position.marks else None
        """Last record before the position, until the fetcher has compared it; None: nothing to compare."""
        self.taken_value_bytes = 0
        self.is_held = False
        """The dataflow waits for other partitions before it takes more."""
        self.identity = position.identity
        """Topic that the fetcher reads."""
        self._newest: Record | None = None  # last fetched record
        self._mark = self.unverified  # mark of the record before it, where none is fetched yet
        self._identity = position.identity
        self._marks = position.marks
        self._last: Record | None = None  # last taken record since the last snapshot
        self._sliced = sliced
        self._samples = samples
        self._chunks: deque[Chunk] = deque()
        self._last_slice = 0
        self._appended_bytes = 0
        self._taken_bytes = 0

    @property
    def fetch_position(self) -> Position:
        """Return the position of the fetcher, with the marks of the last snapshot."""
        return Position(self.fetched, self.stop, self.identity, max(self.end, self.fetched), self._marks)

    def snapshot(self) -> Position:
        """Return the position of the dataflow, and mark its last record."""
        if self._last is not None:
            self._marks, self._last = with_mark(self._marks, Mark.of(self._last)), None
        return Position(self.offset, self.stop, self._identity, max(self.end, self.fetched), self._marks)

    @property
    def fetch_from(self) -> int:
        """Return the offset at which a fetch starts: the mark's before the comparison."""
        return self.fetched if self.unverified is None else self.unverified.offset

    @property
    def complete(self) -> bool:
        """Return True once every record before the stop is fetched."""
        return self.stop is not None and self.fetched >= self.stop and self.unverified is None

    @property
    def ended(self) -> bool:
        """Return True once every record before the stop is taken."""
        return self.stop is not None and self.offset >= self.stop and self.unverified is None

    @property
    def full(self) -> bool:
        """Return True if the fetcher has to pause."""
        return self._appended_bytes - self._taken_bytes >= _FULL_BYTES

    @property
    def has_room(self) -> bool:
        """Return True if a paused fetcher may resume; the limit is half of `full`, so that pauses stay rare."""
        return self._appended_bytes - self._taken_bytes <= _ROOM_BYTES

    @property
    def head(self) -> int | None:
        """Return the slice of the oldest record, or None without a record."""
        try:
            return self._chunks[0].slice
        except IndexError:
            return None

    def verify(self, fetched: Sequence[Any]) -> bool:
        """Compare the first records of a fetch with the mark; False: they were replaced since they were read."""
        mark = self.unverified
        if mark is not None and fetched[0].offset < self.fetched:  # otherwise the record of the mark is compacted
            others = any(mark.offset < each.offset < self.fetched for each in fetched)
            if others or not mark.is_of(fetched[0]):
                return False
        self.unverified = None
        return True

    def verify_again(self) -> None:
        """Ask for another comparison, of the last fetched record; before the first one, of the position's mark."""
        if not self.complete:
            self.unverified = self._mark if self._newest is None else Mark.of(self._newest)

    def append(self, fetched: Sequence[Any], position: int) -> None:
        """Append the records of one poll.

        Args:
            fetched: kafka-python's records, in offset order.
            position: offset that the next poll starts from, behind any transaction markers.
        """
        if self.stop is not None and position > self.stop:
            position = self.stop
            fetched = [each for each in fetched if each.offset < position]
        if position <= self.fetched:
            return
        if fetched and fetched[0].offset < self.fetched:  # the record of the mark
            fetched = [each for each in fetched if each.offset >= self.fetched]
        if fetched:
            self._append(fetched, position)
        else:
            self._chunks.append(Chunk([], 0, position, self._last_slice))
        self.fetched = position

    def jump(self, position: Position) -> None:
        """Continue at a position behind a gap, after the records that are buffered."""
        self._chunks.append(Chunk([], 0, position.offset, self._last_slice, jump=position))
        self.identity, self.end, self.unverified, self._newest = position.identity, position.end, None, None
        self._mark = position.marks[-1] if position.marks else None
        self.fetched = position.offset

    def take(self, newest_slice: int, most: int = MAX_BATCH_RECORDS) -> list[Record]:
        """Remove and return a batch of up to `most` records, none from a slice after `newest_slice`."""
        batch: list[Record] = []
        enough = min(most, BATCH_RECORDS)
        while self._chunks and len(batch) < enough and self._chunks[0].slice <= newest_slice:
            if len(batch) + len(self._chunks[0].records) > most:
                self._split_first(most - len(batch))
            chunk = self._chunks.popleft()
            batch = batch + chunk.records if batch else chunk.records
            self.offset = chunk.next_offset
            self.taken_value_bytes += chunk.value_bytes
            self._taken_bytes += _weight(chunk)
            if chunk.records:
                self._last = chunk.records[-1]
            elif chunk.jump is not None:
                self._identity, self._marks, self._last = chunk.jump.identity, chunk.jump.marks, None
        return batch

    def _split_first(self, count: int) -> None:
        """Split the oldest chunk behind a number of records."""
        chunk = self._chunks.popleft()
        first, second = chunk.records[:count], chunk.records[count:]
        first_bytes = sum([len(record.value) for record in first])
        rest = Chunk(second, chunk.value_bytes - first_bytes, chunk.next_offset, chunk.slice)
        self._chunks.extendleft((rest, Chunk(first, first_bytes, second[0].position, chunk.slice)))

    def _append(self, fetched: Sequence[Any], position: int) -> None:
        chunks = [chunk for run in self._runs(fetched) for chunk in _split(run)]
        for chunk, following in pairwise(chunks):
            self._append_chunk(chunk, following[0].offset)
        self._append_chunk(chunks[-1], position)

    def _runs(self, fetched: Sequence[Any]) -> list[Sequence[Any]]:
        """Split the records at the borders of slices."""
        if not self._sliced or _slice(fetched[0]) == _slice(fetched[-1]):
            return [fetched]
        return [list(run) for _, run in groupby(fetched, _slice)]

    def _append_chunk(self, fetched: Sequence[Any], next_offset: int) -> None:
        origin = self.origin
        records = [Record(origin, each.offset, each.value or b"", time_ms(each)) for each in fetched]
        if self._samples:
            records = with_trace_contexts(records, fetched)
        value_bytes = sum([len(record.value) for record in records])
        self._last_slice = _slice(fetched[0])
        chunk = Chunk(records, value_bytes, next_offset, self._last_slice)
        self._newest = records[-1]
        self._appended_bytes += _weight(chunk)
        self._chunks.append(chunk)


def _split(fetched: Sequence[Any]) -> list[Sequence[Any]]:
    return [fetched[start : start + BATCH_RECORDS] for start in range(0, len(fetched), BATCH_RECORDS)]


def _slice(fetched: Any) -> int:
    return int(fetched.timestamp) // SLICE_MS


def _weight(chunk: Chunk) -> int:
    return chunk.value_bytes + len(chunk.records) * _RECORD_OVERHEAD_BYTES
