"""Source of several topics, of one or of several clusters, merged by Kafka's record time.

topic a, partition 0  ─┐
topic a, partition 1  ─┼─ record with the oldest time first ─► one source partition
topic b, partition 0  ─┘
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from threading import Event
from time import monotonic

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.partition import GonePartition, KafkaPartition
from connectors.kafka.positions import Snapshot as Position
from connectors.kafka.source import KafkaSource, OnGap
from state.counters import SourceCounters
from state.events.records import Record

BATCH_RECORDS = 1000

PartitionSnapshot = tuple[Position, int, int]
"""A position of a partition's own source, the offset of the first record after it to emit, and the newest time."""

Snapshot = dict[str, PartitionSnapshot]
"""Snapshot of each partition, by its name."""


class MergedSource(FixedPartitionedSource[Record, Snapshot]):
    """Records of several topics up to their ends, as one partition that a single process reads.

    The order depends on the records alone: the oldest record time first; of equal times, the topic that is named first,
    then the lower partition. Within a partition, offsets decide: a record with an older time than its predecessor has
    the predecessor's. So a user's events in several topics keep the order of Kafka, in any number of processes.

    Raises:
        SourceError: an error of `KafkaSource`.
    """

    def __init__(
        self,
        reads: Sequence[tuple[TopicAddress, Start, Start | None]],
        *,
        stop: Event,
        counters: SourceCounters,
        on_gap: OnGap = "stop",
    ) -> None:
        """Prepare the reads: each is a topic with the start and the end of a first run, as of `KafkaSource`."""
        self._stop = stop
        self._counters = counters
        self._read = [SourceCounters() for _ in reads]
        self._sources = [
            KafkaSource(
                address, start=start, bounded=True, stop=stop, counters=read, on_gap=on_gap, to=to, sliced=False
            )
            for (address, start, to), read in zip(reads, self._read, strict=True)
        ]
        self._parts: list[tuple[int, str]] = []

    def list_parts(self) -> list[str]:
        """Look up the topics, and return the name of the one partition."""
        self._parts = [(topic, part) for topic, source in enumerate(self._sources) for part in source.list_parts()]
        return ["topics"]

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> "MergedPartition":  # noqa: ARG002  Bytewax passes all three
        """Open all partitions of all topics."""
        saved = resume_state or {}
        for topic, source in enumerate(self._sources):
            source.resume_parts([name.partition("/")[2] for name in saved if name.startswith(f"{topic}/")])
        self.list_parts()
        inputs: dict[tuple[int, int], MergedInput] = {}
        for topic, part in self._parts:
            position, next_offset, at_ms = saved.get(_name(topic, part), (None, 0, 0))
            partition = self._sources[topic].build_part(step_id, part, position)
            inputs[topic, int(part)] = MergedInput(partition, next_offset, at_ms)
        return MergedPartition(inputs, self._stop, self._counters, self._read)


class MergedInput:
    """One partition of one topic, with the records that were taken from it and not yet emitted."""

    def __init__(self, partition: KafkaPartition | GonePartition, next_offset: int = 0, at_ms: int = 0) -> None:
        """Continue behind a snapshot's offset and newest time, with the partition at the snapshot's position."""
        self._partition = partition
        self._next_offset = next_offset
        self._before = partition.snapshot()
        self._at_ms = at_ms
        self.records: deque[Record] = deque()
        self.ended = False

    def fill(self) -> None:
        """Take the next records, if none is left."""
        self._before = self._partition.snapshot()
        try:
            taken = self._partition.next_batch()
        except StopIteration:
            self.ended = True
            return
        self.records.extend(record for record in taken if record.position >= self._next_offset)

    def head_ms(self) -> int:
        """Return the time of the next record, which is never older than an earlier one's."""
        self._at_ms = max(self._at_ms, self.records[0].timestamp_ms)
        return self._at_ms

    def pop(self) -> Record:
        """Remove and return the next record."""
        record = self.records.popleft()
        self._next_offset = record.position + 1
        return record

    def next_awake(self) -> datetime | None:
        """Return the time of the next look at the partition."""
        return self._partition.next_awake()

    def snapshot(self) -> PartitionSnapshot:
        """Return the position before the records that are left, and the place among them."""
        return self._before, self._next_offset, self._at_ms

    def close(self) -> None:
        """Close the partition."""
        self._partition.close()


class MergedPartition(StatefulSourcePartition[Record, Snapshot]):
    """All partitions of all topics, merged."""

    def __init__(
        self,
        inputs: Mapping[tuple[int, int], MergedInput],
        stop: Event,
        counters: SourceCounters,
        read: Sequence[SourceCounters],
    ) -> None:
        self._inputs = inputs
        self._stop = stop
        self._counters = counters
        self._read = read

    def next_batch(self) -> list[Record]:
        """Return the oldest records, as far as a record of each partition is known."""
        return self.take(BATCH_RECORDS)

    def take(self, most: int) -> list[Record]:
        """Return up to `most` records; as `next_batch`."""
        self._counters.reads_again(monotonic())
        if self._stop.is_set():
            raise StopIteration
        self._count_progress()
        if not self._fill():
            return []
        if self._stop.is_set():  # a partition that stops is not at its end
            raise StopIteration
        batch = self._merge(min(most, BATCH_RECORDS))
        if not batch:
            raise StopIteration
        self._counters.records += len(batch)
        self._counters.bytes += sum([len(record.value) for record in batch])
        self._counters.progressed_at = monotonic()
        return batch

    def next_awake(self) -> datetime | None:
        """Return the time at which a partition without a known record looks again; None: at once."""
        return next((each.next_awake() for each in self._inputs.values() if not each.records and not each.ended), None)

    def snapshot(self) -> Snapshot:
        """Return the position of each partition."""
        self._counters.stopped(monotonic())
        return {_name(topic, str(number)): each.snapshot() for (topic, number), each in self._inputs.items()}

    def close(self) -> None:
        """Close all partitions."""
        for each in self._inputs.values():
            each.close()

    def _fill(self) -> bool:
        """Return whether each partition has a record or has ended."""
        for each in self._inputs.values():
            if not each.records and not each.ended:
                each.fill()
        return all(each.records or each.ended for each in self._inputs.values())

    def hold(self) -> None:
        """Have no effect: the one partition has nothing to wait for."""

    def _merge(self, most: int) -> list[Record]:
        heads = [(each.head_ms(), *key) for key, each in self._inputs.items() if each.records]
        heapify(heads)
        batch: list[Record] = []
        while heads and len(batch) < most:
            _, topic, number = heappop(heads)
            each = self._inputs[topic, number]
            batch.append(each.pop())
            if each.records:
                heappush(heads, (each.head_ms(), topic, number))
            elif not each.ended:
                break  # the partition's next record may be the oldest
        return batch

    def _count_progress(self) -> None:
        lag, gaps, held_back = dict[str, int](), Counter[str](), 0
        for read in self._read:
            lag |= read.lag
            gaps += read.gaps
            held_back += read.held_back
            self._counters.progressed_at = max(self._counters.progressed_at, read.progressed_at)
        self._counters.lag, self._counters.gaps, self._counters.held_back = lag, gaps, held_back


def _name(topic: int, part: str) -> str:
    """Return the name of a partition in a snapshot; a topic is known by its place in the command."""
    return f"{topic}/{part}"
