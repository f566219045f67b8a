"""Reads a Kafka topic into the dataflow: live for ever, or bounded up to where its end was at the first start.

Positions live in the dataflow's own snapshots, next to its state, never in a consumer group: the two cannot disagree.
"""

from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from time import monotonic

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.fetcher import Fetcher
from connectors.kafka.offsets import Position, Range, check, first_position, look_up, resumed_position
from connectors.kafka.partition_buffer import PartitionBuffer
from state.counters import SourceCounters
from state.events.records import KafkaOrigin, Record

_HOT_S = 1.0
_AWAKE_HOT = timedelta(milliseconds=2)
_AWAKE_IDLE = timedelta(milliseconds=20)


class KafkaSource(FixedPartitionedSource[Record, Position]):
    """A topic as records, one source partition per Kafka partition, all fed by one consumer per process.

    `bounded` reads up to the end of each partition as it was when first built, committed transactions only, and keeps
    that stop over restarts. `start` counts for the first run alone. Setting `stop` ends the source in an orderly way,
    so that the dataflow takes its last snapshot. A live source that sees its topic grow raises `SourceError`: a restart
    reads the new partitions too.
    """

    def __init__(
        self, address: TopicAddress, *, start: Start, bounded: bool, stop: Event, counters: SourceCounters
    ) -> None:
        self._address = address
        self._start = start
        self._bounded = bounded
        self._stop = stop
        self._counters = counters
        self._ranges: dict[int, Range] = {}
        self._pump: Fetcher | None = None
        self._resumed = False
        self._building = Lock()  # worker threads of one process share this source and its pump

    def list_parts(self) -> list[str]:
        """Look the topic up and return its partitions, by number."""
        self._ranges = look_up(self._address, self._start)
        return [str(partition) for partition in self._ranges]

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> "KafkaPartition":  # noqa: ARG002
        """Build one partition; Bytewax builds those that resume before those that are new."""
        partition = int(for_part)
        origin = KafkaOrigin(self._address.topic, partition)
        position = self._position(partition, resume_state)
        check(position, self._ranges[partition], f"{self._address}, partition {partition}")
        lane = PartitionBuffer(origin, position, sliced=self._bounded)
        with self._building:
            pump = self._pump_for(partition)
            pump.add(lane)
        return KafkaPartition(lane, pump, self._stop, self._counters)

    def _position(self, partition: int, saved: Position | None) -> Position:
        held = self._ranges[partition]
        if saved is None:
            return first_position(held, bounded=self._bounded, joined_later=self._resumed)
        self._resumed = True
        return resumed_position(saved, held, bounded=self._bounded)

    def _pump_for(self, partition: int) -> Fetcher:
        """Return this run's pump; a partition that the pump knows already belongs to a run before."""
        if self._pump is None or partition in self._pump.lanes:
            if self._pump is not None:
                self._pump.close()
            self._pump = Fetcher(self._address, len(self._ranges), self._counters, bounded=self._bounded)
        return self._pump


class KafkaPartition(StatefulSourcePartition[Record, Position]):
    """One partition: takes from its lane what the pump has put there."""

    def __init__(self, lane: PartitionBuffer, pump: Fetcher, stop: Event, counters: SourceCounters) -> None:
        self._lane = lane
        self._pump = pump
        self._stop = stop
        self._counters = counters

    def next_batch(self) -> list[Record]:
        """Return the records that are there; end at the stop offset, or when asked to."""
        self._counters.reads_again(monotonic())
        if self._stop.is_set() or self._lane.ended:
            raise StopIteration
        self._pump.start()
        self._pump.raise_failure()
        batch = self._take()
        if not batch and self._pump.caught_up_at > self._counters.progressed_at:
            self._counters.progressed_at = self._pump.caught_up_at
        return batch

    def next_awake(self) -> datetime | None:
        """Return at once while records wait, within 2 ms while they trickle, within 20 ms if none came for a second."""
        if self._lane.head is not None:
            return None
        hot = monotonic() - self._pump.fed_at < _HOT_S
        return datetime.now(UTC) + (_AWAKE_HOT if hot else _AWAKE_IDLE)

    def snapshot(self) -> Position:
        """Return where to go on, and where to stop."""
        self._counters.stopped(monotonic())
        return self._lane.position

    def close(self) -> None:
        """Let go of the consumer, if this is the last partition of the process to close."""
        self._pump.leave(self._lane)

    def _take(self) -> list[Record]:
        lane, counters = self._lane, self._counters
        bytes_before = lane.taken_value_bytes
        batch = lane.take(self._pump.newest_slice())
        if lane.has_room:
            self._pump.tell_room()
        if batch:
            counters.records += len(batch)
            counters.bytes += lane.taken_value_bytes - bytes_before
            counters.progressed_at = monotonic()
        return batch
