"""Buffer of one partition: a bounded queue of chunks between the fetcher and the dataflow."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from connectors.kafka.offsets import Position
from state.events.records import KafkaOrigin, Record
from tacit.contract.events import MAX_AT_MS, MIN_AT_MS

BATCH_RECORDS = 500
"""A batch of this size is handed over; the last chunk may double the size."""

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


class PartitionBuffer:
    """Records of one partition, fetched and not yet taken: the fetcher appends, the dataflow takes.

    There is no lock: `append` and `popleft` of a deque are atomic, and each number has one writer.
    A take frees memory; the buffer holds at most `_FULL_BYTES` and one fetch.
    """

    def __init__(self, origin: KafkaOrigin, position: Position, *, sliced: bool) -> None:
        self.origin = origin
        self.offset, self.stop = position
        """Next offset for the dataflow, and the offset to stop at."""
        self.fetched = self.offset
        """Next offset for the fetcher."""
        self.taken_value_bytes = 0
        self._sliced = sliced
        self._chunks: deque[Chunk] = deque()
        self._last_slice = 0
        self._appended_bytes = 0
        self._taken_bytes = 0

    @property
    def position(self) -> Position:
        """Return the position for a snapshot."""
        return self.offset, self.stop

    @property
    def complete(self) -> bool:
        """Return True once every record before the stop is fetched."""
        return self.stop is not None and self.fetched >= self.stop

    @property
    def ended(self) -> bool:
        """Return True once every record before the stop is taken."""
        return self.stop is not None and self.offset >= self.stop

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
        if fetched:
            self._append(fetched, position)
        else:
            self._chunks.append(Chunk([], 0, position, self._last_slice))
        self.fetched = position

    def take(self, newest_slice: int) -> list[Record]:
        """Remove and return a batch of records, none from a slice after `newest_slice`."""
        batch: list[Record] = []
        while self._chunks and len(batch) < BATCH_RECORDS and self._chunks[0].slice <= newest_slice:
            chunk = self._chunks.popleft()
            batch = batch + chunk.records if batch else chunk.records
            self.offset = chunk.next_offset
            self.taken_value_bytes += chunk.value_bytes
            self._taken_bytes += _weight(chunk)
        return batch

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
        records = [Record(origin, each.offset, each.value or b"", _time_ms(each)) for each in fetched]
        value_bytes = sum([len(record.value) for record in records])
        self._last_slice = _slice(fetched[0])
        chunk = Chunk(records, value_bytes, next_offset, self._last_slice)
        self._appended_bytes += _weight(chunk)
        self._chunks.append(chunk)


def _time_ms(fetched: Any) -> int:
    """Return the time of a record; 0 for none, or for one outside of the years 2000 to 2286, which is no time in ms."""
    return int(fetched.timestamp) if MIN_AT_MS <= fetched.timestamp <= MAX_AT_MS else 0


def _split(fetched: Sequence[Any]) -> list[Sequence[Any]]:
    return [fetched[start : start + BATCH_RECORDS] for start in range(0, len(fetched), BATCH_RECORDS)]


def _slice(fetched: Any) -> int:
    return int(fetched.timestamp) // SLICE_MS


def _weight(chunk: Chunk) -> int:
    return chunk.value_bytes + len(chunk.records) * _RECORD_OVERHEAD_BYTES
