"""Fetcher: the one Kafka consumer of a process, on a thread of its own, with a buffer per partition.

A consumer is not thread-safe, and some of its calls block. So this thread alone creates, uses and closes the consumer,
and the dataflow reads the buffers only. Twelve idle consumers would cost twenty times the CPU of one.
"""

import sys
from collections.abc import Iterable
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError  # type: ignore[import-untyped]

from connectors.kafka.access import net_client
from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.gap_policy import GapPolicy
from connectors.kafka.gaps import Gap, GapReason, find_gap, replaced
from connectors.kafka.group import GroupOffsets
from connectors.kafka.offsets import NO_RANGE, OffsetRange, look_up, reader_options
from connectors.kafka.partition_buffer import PartitionBuffer
from connectors.kafka.positions import TopicIdentity
from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.watcher import Watcher
from state.counters import SourceCounters
from state.errors import SourceError

METADATA_EVERY_MS = 30_000
"""Time between requests for the leaders of the partitions."""

NO_SLICE = -1
ANY_SLICE = sys.maxsize

_POLL_MS = 200
_COMPARED_WITHIN = 25
"""Polls without a record after which the record of a mark is gone: compaction may leave nothing in its place."""

_MARKERS_EVERY_S = 0.1  # a request for a position costs as much as ten records
_CLOSE_S = 10.0
_FETCH_OPTIONS = {
    # A poll takes all fetched records. In kafka-python 3.0.12, when a poll takes a part of them and the partition is
    # then paused, the rest may stay parked: `Fetcher.fetched_records` returns it only until the next fetch starts.
    "max_poll_records": sys.maxsize,
    # A resumed partition waits for the end of the current fetch, so fetches are short.
    "fetch_max_wait_ms": 200,
    "metadata_max_age_ms": METADATA_EVERY_MS,
}


class Fetcher:
    """Thread that fetches into buffers until a call of `close`, the end of the last partition, or an error of Kafka.

    A `sliced` read keeps its partitions within one slice of Kafka time. A deadlock is impossible: the dataflow may
    always take from the buffer with the oldest head, and the fetcher never pauses an empty buffer.

    Args:
        address: the topic.
        partitions: number of its partitions at the start of the run.
        counters: counters of the source.
        policy: decision about gaps.
        offsets: offsets for the consumer group.
        bounded: True for a read that ends.
    """

    def __init__(
        self,
        address: TopicAddress,
        partitions: int,
        counters: SourceCounters,
        policy: GapPolicy,
        offsets: GroupOffsets,
        *,
        bounded: bool,
        sliced: bool,
    ) -> None:
        self.buffers: dict[int, PartitionBuffer] = {}
        """Buffers by partition number."""
        self.fetched_at = 0.0
        """`monotonic()` of the last fetched record."""
        self.watcher = Watcher(address, partitions, self.buffers, counters, offsets)
        self._address = address
        self._policy = policy
        self._bounded = bounded
        self._sliced = sliced
        self._error: Exception | None = None
        self._open: set[int] = set()
        self._closing = Event()
        self._room = Event()
        self._markers_at = 0.0
        self._empty_polls = 0
        self._connections = 0
        self._verified_connections = 0
        self._started = False
        self._starting = Lock()
        self._thread = Thread(target=self._run, name="kafka-fetcher", daemon=True)

    def start(self) -> None:
        """Start the thread; later calls have no effect. Buffers may be added after the start."""
        if self._started:
            return
        with self._starting:
            if not self._started:
                self._thread.start()
                self.watcher.start()
                self._started = True

    def add(self, buffer: PartitionBuffer) -> None:
        """Fetch into another buffer from the next round."""
        self.buffers[buffer.origin.partition] = buffer
        self._open.add(buffer.origin.partition)

    def release(self, buffer: PartitionBuffer) -> None:
        """Release a buffer; the release of the last one closes the fetcher."""
        self._open.discard(buffer.origin.partition)
        if not self._open:
            self.close()

    def close(self) -> None:
        """Stop the thread and close the consumer."""
        self._closing.set()
        self._room.set()
        if self._started:
            self.watcher.close()
            self._thread.join(_CLOSE_S)

    def raise_failure(self) -> None:
        """Raise the error that ended a thread, if there is one."""
        if error := self._error or self.watcher.error:
            raise error

    def newest_slice(self) -> int:
        """Return the newest slice of Kafka time that the dataflow may take now; held buffers do not count."""
        if not self._sliced:
            return ANY_SLICE
        oldest = ANY_SLICE
        for buffer in list(self.buffers.values()):
            if buffer.is_held:
                continue
            head = buffer.head
            if head is not None:
                oldest = min(oldest, head)
            elif not buffer.complete:
                return NO_SLICE
        return oldest

    def notify_room(self) -> None:
        """Wake the thread if all buffers were full."""
        self._room.set()

    def _run(self) -> None:
        try:
            client = self._address.client
            fetch_options = {
                **_FETCH_OPTIONS,
                **client.fetch_options(),
                "kafka_client": partial(net_client, client, self._count_connection),
            }
            consumer = KafkaConsumer(**(reader_options(self._address) | fetch_options))
            try:
                while not self._closing.is_set():
                    self._run_round(consumer)
            finally:
                consumer.close()
        except KafkaError as error:
            self._error = _source_error(error, self._address)
        except Exception as error:  # the dataflow raises every error of the thread
            self._error = error

    def _run_round(self, consumer: Any) -> None:
        if len(consumer.assignment()) != len(self.buffers):
            self._assign(consumer)
        if self.watcher.changed is not None:
            self._reassess(consumer, self.buffers)
            self.watcher.changed = None
        if self._pause_and_resume(consumer):
            self._fetch(consumer)
        else:
            self._room.wait(_POLL_MS / 1000)
            self._room.clear()

    def _assign(self, consumer: Any) -> None:
        buffers = list(self.buffers.values())
        consumer.assign([_topic_partition(buffer) for buffer in buffers])
        for buffer in buffers:
            _seek(consumer, buffer)

    def _count_connection(self) -> None:
        self._connections += 1

    def _verify_again(self, consumer: Any) -> bool:
        """Compare the last records again after a new connection; return False without one.

        A broker may come back with an earlier state of its disks, and with further records. Then no offset is out of
        range, and leader epochs may be the same as before.
        """
        if self._connections == self._verified_connections:
            return False
        self._verified_connections = self._connections
        for partition in consumer.assignment():
            buffer = self.buffers[partition.partition]
            buffer.verify_again()
            _seek(consumer, buffer)
        return True

    def _pause_and_resume(self, consumer: Any) -> bool:
        """Pause full and complete partitions, resume those with room; return False if all are paused."""
        paused = consumer.paused()
        for buffer in list(self.buffers.values()):
            partition = _topic_partition(buffer)
            if partition not in paused and (buffer.full or buffer.complete):
                consumer.pause(partition)
            elif partition in paused and buffer.has_room and not buffer.complete:
                consumer.resume(partition)
        return len(consumer.paused()) < len(self.buffers)

    def _fetch(self, consumer: Any) -> None:
        try:
            fetched = consumer.poll(timeout_ms=_POLL_MS)
            if self._verify_again(consumer):
                return  # the records come again, behind those of the marks
            self._append(consumer, fetched)
            if not fetched or monotonic() - self._markers_at >= _MARKERS_EVERY_S:
                self._skip_markers(consumer)
        except OffsetOutOfRangeError as error:
            self._reassess(consumer, [place.partition for place in error.args[0]])
        except LogTruncationError as error:  # kafka-python compares the leader epochs of the records read (KIP-320)
            self._reassess(consumer, [place.partition for place in error.divergent_offsets], replacing=True)

    def _append(self, consumer: Any, fetched: dict[Any, list[Any]]) -> None:
        self._empty_polls = 0 if fetched or self.watcher.is_failing else self._empty_polls + 1
        for partition, records in fetched.items():
            buffer = self.buffers[partition.partition]
            if buffer.unverified is None or buffer.verify(records):
                buffer.append(records, records[-1].offset + 1)
            else:
                self._reassess(consumer, [partition.partition], replacing=True)
        if fetched:
            self.fetched_at = monotonic()

    def _skip_markers(self, consumer: Any) -> None:
        """Move buffers past offsets without a record: transaction markers, aborted records, gaps of compaction."""
        for partition in consumer.assignment() - consumer.paused():
            buffer = self.buffers[partition.partition]
            position = consumer.position(partition, timeout_ms=0)
            if buffer.unverified is not None and (
                position > buffer.unverified.offset or self._empty_polls > _COMPARED_WITHIN
            ):
                buffer.unverified = None  # the record of the mark is compacted
                _seek(consumer, buffer)
                continue
            buffer.append((), position)
        self._markers_at = monotonic()

    def _reassess(self, consumer: Any, partitions: Iterable[int], *, replacing: bool = False) -> None:
        """Look at partitions that changed during the run; stop at their gaps, or continue behind them.

        Args:
            consumer: consumer of the partitions.
            partitions: numbers of partitions.
            replacing: True if other records are in the place of records that were read.

        Raises:
            GapError: the run stops at gaps, or the read is bounded and its stop has lost its meaning.
        """
        with TopicAdmin(self._address) as admin:
            identity = admin.identity()
        held = look_up(self._address, Start("earliest"))
        gone = self.buffers.keys() - held.keys()
        present = set(partitions) - gone
        gaps = {number: self._gap(number, held[number], identity, replacing=replacing) for number in sorted(present)}
        lost = [find_gap(self.buffers[number].fetch_position, NO_RANGE, identity, number) for number in sorted(gone)]
        found = [gap for gap in (*gaps.values(), *lost) if gap is not None]
        if not self._policy.continues or (self._bounded and any(gap.reason != GapReason.EXPIRED for gap in found)):
            self._policy.refuse(found)
        if gone:  # the next start of the run passes over their gaps
            raise SourceError(f"{self._address}: the topic no longer has the partitions {sorted(gone)}")
        for number, gap in gaps.items():
            buffer = self.buffers[number]
            if gap is None and buffer.unverified is not None and buffer.unverified.offset < held[number].begin:
                buffer.unverified = None  # its record has expired, and the next one to read has not
            if gap is not None:  # otherwise the broker was not up to date
                buffer.jump(self._policy.pass_over(gap, buffer.fetch_position, held[number], identity))
            _seek(consumer, buffer)

    def _gap(self, number: int, held: OffsetRange, identity: TopicIdentity, *, replacing: bool) -> Gap | None:
        position = self.buffers[number].fetch_position
        gap = find_gap(position, held, identity, number)
        if gap is None and replacing:
            gap = replaced(position, held, number)
        return gap and self._policy.located(gap, position, held)


def _topic_partition(buffer: PartitionBuffer) -> Any:
    return TopicPartition(*buffer.origin)


def _seek(consumer: Any, buffer: PartitionBuffer) -> None:
    consumer.seek(_topic_partition(buffer), buffer.fetch_from)


def _source_error(error: KafkaError, address: TopicAddress) -> SourceError:
    source_error = SourceError(f"{address}: reading stopped ({type(error).__name__}: {error})")
    source_error.__cause__ = error
    return source_error
