"""Fetcher: the one Kafka consumer of a process, on a thread of its own, with a buffer per partition.

A consumer is not thread-safe, and some of its calls block. So this thread alone creates, uses and closes the consumer,
and the dataflow reads the buffers only. Twelve idle consumers would cost twenty times the CPU of one.
"""

import sys
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError, OffsetOutOfRangeError  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress
from connectors.kafka.offsets import reader_options
from connectors.kafka.partition_buffer import PartitionBuffer
from connectors.outage import OutageLog
from state.counters import SourceCounters
from state.errors import SourceError

PROBE_EVERY_S = 5.0
"""Time between requests for the ends of the partitions: for the lag, and to detect an outage."""

METADATA_EVERY_MS = 30_000
"""Time between requests for the leaders and the number of the partitions."""

NO_SLICE = -1
ANY_SLICE = sys.maxsize

_POLL_MS = 200
_PROBE_MS = 2_000
_MARKERS_EVERY_S = 0.1  # a request for a position costs as much as ten records
_CLOSE_S = 10.0
_FETCH_OPTIONS = {
    # A poll takes all fetched records. In kafka-python 3.0.12, when a poll takes a part of them and the partition is
    # then paused, the rest may stay parked: `Fetcher.fetched_records` returns it only until the next fetch starts.
    "max_poll_records": sys.maxsize,
    "max_partition_fetch_bytes": 512 * 1024,
    "fetch_max_bytes": 2 * 1024 * 1024,
    # A resumed partition waits for the end of the current fetch, so fetches are short.
    "fetch_max_wait_ms": 200,
    "metadata_max_age_ms": METADATA_EVERY_MS,
}


class Fetcher:
    """Thread that fetches into buffers until a call of `close`, the end of the last partition, or an error of Kafka.

    A `bounded` read keeps its partitions within one slice of Kafka time. A deadlock is impossible: the dataflow may
    always take from the buffer with the oldest head, and the fetcher never pauses an empty buffer.
    """

    def __init__(self, address: TopicAddress, partitions: int, counters: SourceCounters, *, bounded: bool) -> None:
        self.buffers: dict[int, PartitionBuffer] = {}
        """Buffers by partition number."""
        self.caught_up_at = 0.0
        """`monotonic()` of the last answer of a broker without a lag."""
        self.fetched_at = 0.0
        """`monotonic()` of the last fetched record."""
        self._address = address
        self._partitions = partitions
        self._counters = counters
        self._bounded = bounded
        self._error: Exception | None = None
        self._open: set[int] = set()
        self._closing = Event()
        self._room = Event()
        self._outages = OutageLog("kafka")
        self._probed_at = 0.0
        self._markers_at = 0.0
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
            self._thread.join(_CLOSE_S)

    def raise_failure(self) -> None:
        """Raise the error that ended the thread, if there is one."""
        if self._error is not None:
            raise self._error

    def newest_slice(self) -> int:
        """Return the newest slice of Kafka time that the dataflow may take now."""
        if not self._bounded:
            return ANY_SLICE
        oldest = ANY_SLICE
        for buffer in list(self.buffers.values()):
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
            consumer = KafkaConsumer(**reader_options(self._address), **_FETCH_OPTIONS)
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
        if self._pause_and_resume(consumer):
            self._fetch(consumer)
        else:
            self._room.wait(_POLL_MS / 1000)
            self._room.clear()
        if monotonic() - self._probed_at >= PROBE_EVERY_S:
            self._probe(consumer)

    def _assign(self, consumer: Any) -> None:
        buffers = list(self.buffers.values())
        consumer.assign([_topic_partition(buffer) for buffer in buffers])
        for buffer in buffers:
            consumer.seek(_topic_partition(buffer), buffer.fetched)

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
        fetched = consumer.poll(timeout_ms=_POLL_MS)
        for partition, records in fetched.items():
            self.buffers[partition.partition].append(records, records[-1].offset + 1)
        if fetched:
            self.fetched_at = monotonic()
        if not fetched or monotonic() - self._markers_at >= _MARKERS_EVERY_S:
            self._skip_markers(consumer)

    def _skip_markers(self, consumer: Any) -> None:
        """Move buffers past offsets without a record: transaction markers, aborted records, gaps of compaction."""
        for partition in consumer.assignment() - consumer.paused():
            self.buffers[partition.partition].append((), consumer.position(partition, timeout_ms=0))
        self._markers_at = monotonic()

    def _probe(self, consumer: Any) -> None:
        """Request the ends of the partitions; log an outage, set the lag, and check the number of partitions."""
        try:
            ends = consumer.end_offsets(list(consumer.assignment()), timeout_ms=_PROBE_MS)
        except KafkaError as error:
            self._outages.failed(address=str(self._address), error=type(error).__name__)
            return
        finally:
            self._probed_at = monotonic()
        self._outages.recovered(address=str(self._address))
        self._set_lag(ends)
        if not self._bounded:
            self._check_growth(consumer)

    def _set_lag(self, ends: dict[Any, int]) -> None:
        lag = {}
        for partition, end in ends.items():
            buffer = self.buffers[partition.partition]
            last = end if buffer.stop is None else buffer.stop
            lag[f"{partition.topic}/{partition.partition}"] = max(0, last - buffer.offset)
        self._counters.lag = lag
        if not any(lag.values()):
            self.caught_up_at = monotonic()

    def _check_growth(self, consumer: Any) -> None:
        found = len(consumer.partitions_for_topic(self._address.topic))
        if found > self._partitions:
            raise SourceError(
                f"{self._address} grew from {self._partitions} to {found} partitions; start again to read all of "
                "them: the old partitions resume from their position, the new ones start from their beginning"
            )


def _topic_partition(buffer: PartitionBuffer) -> Any:
    return TopicPartition(*buffer.origin)


def _source_error(error: KafkaError, address: TopicAddress) -> SourceError:
    text = f"{address}: reading stopped ({type(error).__name__}: {error})"
    if isinstance(error, OffsetOutOfRangeError):
        text += (
            ": Kafka no longer holds the next offset (retention, or a lost broker); "
            "start again to see the offsets that are left"
        )
    source_error = SourceError(text)
    source_error.__cause__ = error
    return source_error
