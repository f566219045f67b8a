"""Source of a Kafka topic: live without an end, or bounded by the ends of the partitions at the first start.

Positions are in the dataflow's own snapshots, together with its state, and never in a consumer group: the two always
agree.
"""

from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from time import monotonic

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.fetcher import Fetcher
from connectors.kafka.offsets import OffsetRange, Position, check, first_position, look_up, resumed_position
from connectors.kafka.partition_buffer import PartitionBuffer
from state.counters import SourceCounters
from state.events.records import KafkaOrigin, Record

_BUSY_S = 1.0
_AWAKE_BUSY = timedelta(milliseconds=2)
_AWAKE_IDLE = timedelta(milliseconds=20)


class KafkaSource(FixedPartitionedSource[Record, Position]):
    """Records of a topic: one source partition per Kafka partition, and one consumer per process.

    A `bounded` read takes committed transactions up to the end of each partition at the first start, and keeps that
    stop over restarts. `start` is for the first run only. After `stop` is set, the source ends in order, and the
    dataflow takes its last snapshot.

    Raises:
        SourceError: the topic is missing, unreadable, or no longer holds the offset to resume from; a live topic got
            more partitions, which a restart reads.
    """

    def __init__(
        self, address: TopicAddress, *, start: Start, bounded: bool, stop: Event, counters: SourceCounters
    ) -> None:
        self._address = address
        self._start = start
        self._bounded = bounded
        self._stop = stop
        self._counters = counters
        self._ranges: dict[int, OffsetRange] = {}
        self._fetcher: Fetcher | None = None
        self._resumed = False
        self._building = Lock()  # the worker threads of a process share the source and its fetcher

    def list_parts(self) -> list[str]:
        """Look up the topic, and return the numbers of its partitions."""
        self._ranges = look_up(self._address, self._start)
        return [str(partition) for partition in self._ranges]

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> "KafkaPartition":  # noqa: ARG002  Bytewax passes all three
        """Build one partition; Bytewax builds partitions with a snapshot before new ones."""
        partition = int(for_part)
        origin = KafkaOrigin(self._address.topic, partition)
        position = self._position(partition, resume_state)
        check(position, self._ranges[partition], f"{self._address}, partition {partition}")
        buffer = PartitionBuffer(origin, position, sliced=self._bounded)
        with self._building:
            fetcher = self._fetcher_for(partition)
            fetcher.add(buffer)
        return KafkaPartition(buffer, fetcher, self._stop, self._counters)

    def _position(self, partition: int, saved: Position | None) -> Position:
        held = self._ranges[partition]
        if saved is None:
            return first_position(held, bounded=self._bounded, joined_later=self._resumed)
        self._resumed = True
        return resumed_position(saved, held, bounded=self._bounded)

    def _fetcher_for(self, partition: int) -> Fetcher:
        """Return the fetcher of this run; a fetcher that already has the partition belongs to an earlier run."""
        if self._fetcher is None or partition in self._fetcher.buffers:
            if self._fetcher is not None:
                self._fetcher.close()
            self._fetcher = Fetcher(self._address, len(self._ranges), self._counters, bounded=self._bounded)
        return self._fetcher


class KafkaPartition(StatefulSourcePartition[Record, Position]):
    """One partition, which takes its records from the buffer that the fetcher fills."""

    def __init__(self, buffer: PartitionBuffer, fetcher: Fetcher, stop: Event, counters: SourceCounters) -> None:
        self._buffer = buffer
        self._fetcher = fetcher
        self._stop = stop
        self._counters = counters

    def next_batch(self) -> list[Record]:
        """Return the buffered records; end at the stop offset, or after `stop` is set.

        Raises:
            SourceError: the fetcher failed.
        """
        self._counters.reads_again(monotonic())
        if self._stop.is_set() or self._buffer.ended:
            raise StopIteration
        self._fetcher.start()
        self._fetcher.raise_failure()
        batch = self._take()
        if not batch and self._fetcher.caught_up_at > self._counters.progressed_at:
            self._counters.progressed_at = self._fetcher.caught_up_at
        return batch

    def next_awake(self) -> datetime | None:
        """Return None while records are buffered, else a time: in 2 ms, or in 20 ms after a second without a record."""
        if self._buffer.head is not None:
            return None
        busy = monotonic() - self._fetcher.fetched_at < _BUSY_S
        return datetime.now(UTC) + (_AWAKE_BUSY if busy else _AWAKE_IDLE)

    def snapshot(self) -> Position:
        """Return the offset to resume from, and the stop."""
        self._counters.stopped(monotonic())
        return self._buffer.position

    def close(self) -> None:
        """Release the buffer; the last partition of the process closes the consumer."""
        self._fetcher.release(self._buffer)

    def _take(self) -> list[Record]:
        buffer, counters = self._buffer, self._counters
        bytes_before = buffer.taken_value_bytes
        batch = buffer.take(self._fetcher.newest_slice())
        if buffer.has_room:
            self._fetcher.notify_room()
        if batch:
            counters.records += len(batch)
            counters.bytes += buffer.taken_value_bytes - bytes_before
            counters.progressed_at = monotonic()
        return batch
