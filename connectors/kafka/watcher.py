"""Watcher: looks at the topic once a second, apart from the fetcher, so that a slow answer delays no record."""

from collections.abc import Mapping
from threading import Event, Thread
from time import monotonic

from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress
from connectors.kafka.group import GroupOffsets
from connectors.kafka.held_records import HeldRecords
from connectors.kafka.partition_buffer import PartitionBuffer
from connectors.kafka.positions import TopicIdentity
from connectors.kafka.topic_admin import Topic, TopicAdmin
from connectors.outage import OutageLog
from state.counters import SourceCounters
from state.errors import AccessError

LOOK_EVERY_S = 0.9
"""Time between two looks: while a broker answers, a lag is never older than a second."""

REQUEST_MS = 2_000
"""Time limit of a request: a broker that does not answer is an outage after it."""

_CLOSE_S = 10.0


class Watcher:
    """Thread that keeps the lag of the partitions of a process, and notices an outage, a changed and a grown topic.

    Args:
        address: the topic.
        partitions: number of partitions at the start of the run.
        buffers: buffers of the process, by partition.
        counters: counters of the source.
        offsets: offsets for the consumer group.
    """

    def __init__(
        self,
        address: TopicAddress,
        partitions: int,
        buffers: Mapping[int, PartitionBuffer],
        counters: SourceCounters,
        offsets: GroupOffsets,
    ) -> None:
        self.caught_up_at = 0.0
        """`monotonic()` of the last look that found no committed record to take."""
        self.grew = False
        """True once the topic has more partitions."""
        self.changed: TopicIdentity | None = None
        """Identity of a topic that took the place of the buffers' topic."""
        self.error: Exception | None = None
        """Error that ended the thread."""
        self.is_failing = False
        """True during an outage."""
        self._address = address
        self._partitions = partitions
        self._buffers = buffers
        self._counters = counters
        self._offsets = offsets
        self._admin: TopicAdmin | None = None
        self._closing = Event()
        self._outages = OutageLog("kafka")
        self._held = HeldRecords(str(address), counters)
        self._thread = Thread(target=self._run, name="kafka-watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                began = monotonic()
                self._look()
                self._closing.wait(max(0.0, LOOK_EVERY_S - (monotonic() - began)))
        except Exception as error:  # the dataflow raises every error of the thread
            self.error = error
        finally:
            self._disconnect()

    def _look(self) -> None:
        """Look once; log the start and the end of an outage."""
        try:
            admin = self._admin = self._admin or TopicAdmin(self._address, REQUEST_MS)
            topic = admin.describe()
            self.changed = self._replacement(admin, topic)
            if self.changed is None:
                self._set_lag(admin)
                self.grew = topic.partitions > self._partitions
        except (AccessError, KafkaError) as error:
            self.is_failing = True
            self._counters.absent_at = self._counters.absent_at or monotonic()
            self._outages.failed(address=str(self._address), error=type(error).__name__)
            return
        self.is_failing = False
        self._counters.absent_at = None
        self._outages.recovered(address=str(self._address))
        if not self._offsets.commit(admin):
            self._disconnect()  # a client of kafka-python 3.0.12 looks up the coordinator of a group only once

    def _replacement(self, admin: TopicAdmin, topic: Topic) -> TopicIdentity | None:
        for buffer in list(self._buffers.values()):
            known = buffer.identity.topic_id
            if known and topic.topic_id and known != topic.topic_id:
                return TopicIdentity(admin.cluster(), topic.topic_id)
        return None

    def _set_lag(self, admin: TopicAdmin) -> None:
        """Set the lags: to the end, and of these the records behind an open transaction."""
        buffers = {buffer.origin.partition: buffer for buffer in list(self._buffers.values())}
        ends = admin.high_watermarks(buffers)
        waits = any(end > buffers[number].offset for number, end in ends.items())
        stable = admin.stable_ends(buffers) if waits else ends
        lag, held = {}, {}
        for number, buffer in buffers.items():
            buffer.end = max(buffer.end, ends[number])
            last = ends[number] if buffer.stop is None else buffer.stop
            lag[number] = max(0, last - buffer.offset)
            held[number] = 0 if buffer.stop is not None else max(0, ends[number] - max(stable[number], buffer.offset))
        self._counters.lag = self._named(lag)
        self._counters.held = self._named(held)
        if lag == held:
            self.caught_up_at = monotonic()
        self._held.update(admin, held, stable)

    def _named(self, counts: Mapping[int, int]) -> dict[str, int]:
        return {f"{self._address.topic}/{number}": count for number, count in counts.items()}

    def _disconnect(self) -> None:
        if self._admin is not None:
            self._admin.close()
        self._admin = None
