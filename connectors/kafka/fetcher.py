"""The one Kafka consumer of a process, on a thread of its own, filling a lane per partition.

A consumer is not thread-safe and some of its calls block, so this thread alone makes, uses and closes it; the dataflow
only looks at lanes. Twelve consumers would cost twenty times as much when idle.
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
"""How often we ask for the ends of the partitions: for lag, and to know that a broker is there."""

METADATA_EVERY_MS = 30_000
"""How often the client asks who leads the partitions and how many there are."""

NEVER = -1
ANY_SLICE = sys.maxsize

_POLL_MS = 200
_PROBE_MS = 2_000
_MARKERS_EVERY_S = 0.1  # asking for a position costs as much as fetching ten records
_CLOSE_S = 10.0
_FETCH_OPTIONS = {
    # A poll takes all that was fetched. In kafka-python 3.0.12, when one takes a part and the partition is paused, the
    # rest can stay parked for ever: `Fetcher.fetched_records` brings it back only while no other fetch was begun.
    "max_poll_records": sys.maxsize,
    "max_partition_fetch_bytes": 512 * 1024,
    "fetch_max_bytes": 2 * 1024 * 1024,
    # A partition that has room again waits for a fetch under way, so fetches are short.
    "fetch_max_wait_ms": 200,
    "metadata_max_age_ms": METADATA_EVERY_MS,
}


class Fetcher:
    """Fetches for its lanes until it is closed, all partitions left, or Kafka refuses.

    A `bounded` run hands on its partitions side by side in Kafka time, within a slice. That cannot lock up: the lane
    with the oldest head may always be taken, and an empty lane is never paused.
    """

    def __init__(self, address: TopicAddress, partitions: int, counters: SourceCounters, *, bounded: bool) -> None:
        self.lanes: dict[int, PartitionBuffer] = {}
        self.caught_up_at = 0.0
        """`monotonic()` when a broker last confirmed that there is nothing more to hand on."""
        self.fed_at = 0.0
        """`monotonic()` when records last came in."""
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
        self._thread = Thread(target=self._run, name="kafka-pump", daemon=True)

    def start(self) -> None:
        """Start fetching, once; lanes may still be added."""
        if self._started:
            return
        with self._starting:
            if not self._started:
                self._thread.start()
                self._started = True

    def add(self, lane: PartitionBuffer) -> None:
        """Fetch for a lane too, from the next round on."""
        self.lanes[lane.origin.partition] = lane
        self._open.add(lane.origin.partition)

    def leave(self, lane: PartitionBuffer) -> None:
        """Note that a lane is taken from no more; the last one to leave closes."""
        self._open.discard(lane.origin.partition)
        if not self._open:
            self.close()

    def close(self) -> None:
        """Stop fetching and let go of the consumer."""
        self._closing.set()
        self._room.set()
        if self._started:
            self._thread.join(_CLOSE_S)

    def raise_failure(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._error is not None:
            raise self._error

    def newest_slice(self) -> int:
        """Return the newest slice of Kafka time that may be handed on now."""
        if not self._bounded:
            return ANY_SLICE
        oldest = ANY_SLICE
        for lane in list(self.lanes.values()):
            head = lane.head
            if head is not None:
                oldest = min(oldest, head)
            elif not lane.complete:
                return NEVER
        return oldest

    def tell_room(self) -> None:
        """Wake a thread that waits because all lanes were full."""
        self._room.set()

    def _run(self) -> None:
        try:
            consumer = KafkaConsumer(**reader_options(self._address), **_FETCH_OPTIONS)
            try:
                while not self._closing.is_set():
                    self._round(consumer)
            finally:
                consumer.close()
        except KafkaError as error:
            self._error = _translated(error, self._address)
        except Exception as error:  # whatever it is, the dataflow must hear of it
            self._error = error

    def _round(self, consumer: Any) -> None:
        if len(consumer.assignment()) != len(self.lanes):
            self._assign(consumer)
        if self._steer(consumer):
            self._fetch(consumer)
        else:
            self._room.wait(_POLL_MS / 1000)
            self._room.clear()
        if monotonic() - self._probed_at >= PROBE_EVERY_S:
            self._probe(consumer)

    def _assign(self, consumer: Any) -> None:
        lanes = list(self.lanes.values())
        consumer.assign([self._place(lane) for lane in lanes])
        for lane in lanes:
            consumer.seek(self._place(lane), lane.fetched)

    def _steer(self, consumer: Any) -> bool:
        """Pause lanes that are full or complete, resume those with room; say whether any is left to fetch for."""
        paused = consumer.paused()
        for lane in list(self.lanes.values()):
            place = self._place(lane)
            if place not in paused and (lane.full or lane.complete):
                consumer.pause(place)
            elif place in paused and lane.has_room and not lane.complete:
                consumer.resume(place)
        return len(consumer.paused()) < len(self.lanes)

    def _fetch(self, consumer: Any) -> None:
        fetched = consumer.poll(timeout_ms=_POLL_MS)
        for place, records in fetched.items():
            self.lanes[place.partition].offer(records, records[-1].offset + 1)
        if fetched:
            self.fed_at = monotonic()
        if not fetched or monotonic() - self._markers_at >= _MARKERS_EVERY_S:
            self._pass_markers(consumer)

    def _pass_markers(self, consumer: Any) -> None:
        """Move lanes past what is no record: markers of transactions, aborted ones, gaps of compaction."""
        for place in consumer.assignment() - consumer.paused():
            self.lanes[place.partition].offer((), consumer.position(place, timeout_ms=0))
        self._markers_at = monotonic()

    def _probe(self, consumer: Any) -> None:
        """Look at the ends: lag, whether a broker answers, and whether the topic gained a partition."""
        try:
            ends = consumer.end_offsets(list(consumer.assignment()), timeout_ms=_PROBE_MS)
        except KafkaError as error:
            self._outages.failed(address=str(self._address), error=type(error).__name__)
            return
        finally:
            self._probed_at = monotonic()
        self._outages.recovered(address=str(self._address))
        self._export_lag(ends)
        if not self._bounded:
            self._refuse_growth(consumer)

    def _export_lag(self, ends: dict[Any, int]) -> None:
        lag = {}
        for place, end in ends.items():
            lane = self.lanes[place.partition]
            last = end if lane.stop is None else lane.stop
            lag[f"{place.topic}/{place.partition}"] = max(0, last - lane.offset)
        self._counters.lag = lag
        if not any(lag.values()):
            self.caught_up_at = monotonic()

    def _refuse_growth(self, consumer: Any) -> None:
        found = len(consumer.partitions_for_topic(self._address.topic))
        if found > self._partitions:
            raise SourceError(
                f"{self._address} grew from {self._partitions} to {found} partitions; start again to read them all: "
                "the old ones go on where they were, the new ones from their beginning"
            )

    def _place(self, lane: PartitionBuffer) -> Any:
        return TopicPartition(*lane.origin)


def _translated(error: KafkaError, address: TopicAddress) -> SourceError:
    text = f"{address}: reading cannot go on ({type(error).__name__}: {error})"
    if isinstance(error, OffsetOutOfRangeError):
        text += ": retention passed us, or records were lost; start again to see which offsets are left"
    translated = SourceError(text)
    translated.__cause__ = error
    return translated
