"""One partition between the pump that fetches and the dataflow that takes: a bounded queue of chunks."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from connectors.kafka.offsets import Position
from state.events.records import KafkaOrigin, Record

BATCH_RECORDS = 500
"""A batch is handed on once it has so many records; the last chunk may bring it to twice that."""

SLICE_MS = 15 * 60 * 1000
"""A bounded read keeps its partitions within so much Kafka time of each other."""

_FULL_BYTES = 4 * 1024 * 1024
_ROOM_BYTES = _FULL_BYTES // 2
_RECORD_OVERHEAD_BYTES = 200  # a Record, its offset and the header of its bytes


class Chunk(NamedTuple):
    """Consecutive records of one slice of Kafka time; none where only transaction markers were."""

    records: list[Record]
    value_bytes: int
    next_offset: int
    slice: int


class PartitionBuffer:
    """A partition's records on their way; the pump alone offers, the dataflow alone takes.

    Appending to a deque and popping from it are atomic, and each number has one writer, so there is no lock.
    Freed as it is taken; holds at most `_FULL_BYTES` and one fetch.
    """

    def __init__(self, origin: KafkaOrigin, position: Position, *, sliced: bool) -> None:
        self.origin = origin
        self.offset, self.stop = position
        """Where the dataflow reads next, and where it stops."""
        self.fetched = self.offset
        """Where the pump fetches next."""
        self.taken_value_bytes = 0
        self._sliced = sliced
        self._chunks: deque[Chunk] = deque()
        self._last_slice = 0
        self._offered_bytes = 0
        self._taken_bytes = 0

    @property
    def position(self) -> Position:
        """Return what a snapshot holds."""
        return self.offset, self.stop

    @property
    def complete(self) -> bool:
        """Say whether all up to the stop is fetched."""
        return self.stop is not None and self.fetched >= self.stop

    @property
    def ended(self) -> bool:
        """Say whether all up to the stop is taken."""
        return self.stop is not None and self.offset >= self.stop

    @property
    def full(self) -> bool:
        """Say whether the pump should stop offering."""
        return self._offered_bytes - self._taken_bytes >= _FULL_BYTES

    @property
    def has_room(self) -> bool:
        """Say whether a pump that stopped should offer again; lower than `full`, so that it does not flutter."""
        return self._offered_bytes - self._taken_bytes <= _ROOM_BYTES

    @property
    def head(self) -> int | None:
        """Return the slice of the oldest record waiting, or None."""
        try:
            return self._chunks[0].slice
        except IndexError:
            return None

    def offer(self, fetched: Sequence[Any], position: int) -> None:
        """Append what one poll brought; `position` is where the next one goes on, past any transaction markers."""
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
        chunks = [chunk for run in self._runs(fetched) for chunk in _cut(run)]
        for chunk, following in pairwise(chunks):
            self._push(chunk, following[0].offset)
        self._push(chunks[-1], position)

    def _runs(self, fetched: Sequence[Any]) -> list[Sequence[Any]]:
        """Split where Kafka time enters another slice."""
        if not self._sliced or _slice(fetched[0]) == _slice(fetched[-1]):
            return [fetched]
        return [list(run) for _, run in groupby(fetched, _slice)]

    def _push(self, fetched: Sequence[Any], next_offset: int) -> None:
        origin = self.origin
        records = [Record(origin, each.offset, each.value or b"") for each in fetched]
        value_bytes = sum([len(record.value) for record in records])
        self._last_slice = _slice(fetched[0])
        chunk = Chunk(records, value_bytes, next_offset, self._last_slice)
        self._offered_bytes += _weight(chunk)
        self._chunks.append(chunk)


def _cut(fetched: Sequence[Any]) -> list[Sequence[Any]]:
    return [fetched[start : start + BATCH_RECORDS] for start in range(0, len(fetched), BATCH_RECORDS)]


def _slice(fetched: Any) -> int:
    return int(fetched.timestamp) // SLICE_MS


def _weight(chunk: Chunk) -> int:
    return chunk.value_bytes + len(chunk.records) * _RECORD_OVERHEAD_BYTES
