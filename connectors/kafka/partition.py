"""One partition of a topic, as the dataflow reads it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic

from bytewax.inputs import StatefulSourcePartition

from connectors.kafka.fetcher import Fetcher
from connectors.kafka.gap_policy import GapPolicy
from connectors.kafka.gaps import Gap
from connectors.kafka.group import GroupOffsets
from connectors.kafka.partition_buffer import MAX_BATCH_RECORDS, PartitionBuffer
from connectors.kafka.positions import Position, Snapshot
from state.counters import SourceCounters
from state.events.records import Record

_BUSY_S = 1.0
_AWAKE_BUSY = timedelta(milliseconds=2)
_AWAKE_IDLE = timedelta(milliseconds=20)


class GonePartition(StatefulSourcePartition[Record, Snapshot]):
    """Partition of an earlier topic that the present one does not have: it ends at once, and keeps its position."""

    def __init__(self, position: Position, policy: GapPolicy, gaps: Sequence[Gap]) -> None:
        self._position = position
        self._policy = policy
        self._gaps = gaps
        self.has_caught_up = False
        """There is nothing to take."""

    def next_batch(self) -> list[Record]:
        """End.

        Raises:
            GapError: the read stops at gaps.
        """
        self._policy.refuse(self._gaps)
        raise StopIteration

    def take(self, most: int) -> list[Record]:  # noqa: ARG002  # the interface of a partition in rounds
        """End; as `next_batch`."""
        return self.next_batch()

    def hold(self) -> None:
        """Do nothing: the partition keeps no other back."""

    def snapshot(self) -> Snapshot:
        """Return the position, from which a partition that is added later is read."""
        return self._position.to_snapshot()


class KafkaPartition(StatefulSourcePartition[Record, Snapshot]):
    """One partition, which takes its records from the buffer that the fetcher fills.

    Args:
        buffer: records of the partition.
        fetcher: fetcher of the process.
        stop: stop request.
        counters: counters of the source.
        offsets: offsets for the consumer group.
        policy: decision about gaps.
        gaps: gaps of all partitions of the process, at which the read stops.
        end: end of the partition at the start of the source.
    """

    def __init__(
        self,
        buffer: PartitionBuffer,
        fetcher: Fetcher,
        stop: Event,
        counters: SourceCounters,
        offsets: GroupOffsets,
        policy: GapPolicy,
        gaps: Sequence[Gap],
        end: int,
    ) -> None:
        self._buffer = buffer
        self._end = end
        self._fetcher = fetcher
        self._stop = stop
        self._counters = counters
        self._offsets = offsets
        self._policy = policy
        self._gaps = gaps

    def next_batch(self) -> list[Record]:
        """Return the buffered records; end at the stop offset, after `stop` is set, or when a live topic grew.

        Raises:
            SourceError: the fetcher failed.
            GapError: the topic changed since the position to resume from, or during the run.
        """
        return self.take(MAX_BATCH_RECORDS)

    def take(self, most: int) -> list[Record]:
        """Return up to `most` buffered records; as `next_batch`."""
        self._counters.reads_again(monotonic())
        self._offsets.complete(self._buffer.origin.partition)
        self._policy.refuse(self._gaps)
        if self._stop.is_set() or self._buffer.ended or self._ends_to_grow():
            raise StopIteration
        self._fetcher.start()
        self._fetcher.raise_failure()
        batch = self._take(most)
        if not batch and self._fetcher.watcher.caught_up_at > self._counters.progressed_at:
            self._counters.progressed_at = self._fetcher.watcher.caught_up_at
        return batch

    @property
    def has_caught_up(self) -> bool:
        """True once the dataflow has taken every record that the topic held at the start of the source."""
        return self._buffer.offset >= self._end or self._fetcher.watcher.caught_up_at > 0

    def hold(self) -> None:
        """Let the other partitions of the process pass this one in time, until the next `take`.

        Raises:
            SourceError: as `next_batch`.
        """
        self._policy.refuse(self._gaps)
        self._fetcher.raise_failure()
        self._buffer.is_held = True

    def next_awake(self) -> datetime | None:
        """Return None while records are buffered, else a time: in 2 ms, or in 20 ms after a second without a record."""
        if self._buffer.head is not None:
            return None
        busy = monotonic() - self._fetcher.fetched_at < _BUSY_S
        return datetime.now(UTC) + (_AWAKE_BUSY if busy else _AWAKE_IDLE)

    def snapshot(self) -> Snapshot:
        """Return the position to resume from."""
        self._counters.stopped(monotonic())
        position = self._buffer.snapshot()
        self._offsets.take(self._buffer.origin.partition, position.offset)
        return position.to_snapshot()

    def close(self) -> None:
        """Release the buffer; the last partition of the process closes the consumer."""
        self._fetcher.release(self._buffer)

    def _ends_to_grow(self) -> bool:
        if self._buffer.stop is not None or not self._fetcher.watcher.grew:
            return False
        self._counters.grew = True
        return True

    def _take(self, most: int) -> list[Record]:
        buffer, counters = self._buffer, self._counters
        bytes_before = buffer.taken_value_bytes
        buffer.is_held = False
        batch = buffer.take(self._fetcher.newest_slice(), most)
        if buffer.has_room:
            self._fetcher.notify_room()
        if batch:
            counters.records += len(batch)
            counters.bytes += buffer.taken_value_bytes - bytes_before
            counters.progressed_at = monotonic()
        return batch
