"""Source of a Kafka topic: live without an end, or bounded by the ends of the partitions at the first start.

Positions are in the dataflow's own snapshots, together with its state, and never in a consumer group: the two always
agree. A group gets the offsets of completed checkpoints for other programs to see.
"""

from collections.abc import Collection
from contextlib import suppress
from threading import Event, Lock
from typing import Literal

import structlog
from bytewax.inputs import FixedPartitionedSource
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.fetcher import Fetcher
from connectors.kafka.gap_policy import GapPolicy
from connectors.kafka.gaps import Gap, find_gap
from connectors.kafka.group import GroupOffsets
from connectors.kafka.offsets import NO_RANGE, OffsetRange, check_start, first_position, look_up, resumed_position
from connectors.kafka.partition import GonePartition, KafkaPartition
from connectors.kafka.partition_buffer import PartitionBuffer
from connectors.kafka.positions import Position, Snapshot
from connectors.kafka.topic_admin import NO_LOOK, TopicAdmin, TopicLook, look_at
from state.counters import SourceCounters
from state.events.records import KafkaOrigin, Record

OnGap = Literal["stop", "continue"]
"""End of the run at a gap, or continuation behind it."""

_END_MS = 2_000
"""Time limit of a request after the end of the dataflow."""

_log = structlog.get_logger(__name__)


class KafkaSource(FixedPartitionedSource[Record, Snapshot]):
    """Records of a topic: one source partition per Kafka partition, and one consumer per process.

    A `bounded` read takes committed transactions up to `to`, or up to the end of each partition at the first start, and
    keeps that stop over restarts. `start` and `to` are for the first run only. The partitions of a bounded read stay
    within one slice of Kafka time, unless `sliced` is False: another source then orders the records. After `stop` is
    set, the source ends in order, and the dataflow takes its last snapshot. A live source ends in order, too, when the
    topic has more partitions, and sets `counters.grew`.

    Args:
        address: the topic.
        start: start of the first run.
        bounded: True for a read up to the ends of today.
        stop: stop request.
        counters: counters of the source.
        on_gap: end of the run, or continuation, at a gap.
        group: consumer group that gets the offsets of completed checkpoints; None: none does.
        to: end of a bounded read; None: the ends of today.
        sliced: keeps partitions within a slice of Kafka time; None: as `bounded`.
        samples: reads the trace contexts of records.

    Raises:
        SourceError: the topic is missing or unreadable.
        GapError: the topic changed since the position to resume from, or during the run.
    """

    def __init__(
        self,
        address: TopicAddress,
        *,
        start: Start,
        bounded: bool,
        stop: Event,
        counters: SourceCounters,
        on_gap: OnGap = "stop",
        group: str | None = None,
        to: Start | None = None,
        sliced: bool | None = None,
        samples: bool = False,
    ) -> None:
        self._address = address
        self._start = start
        self._bounded = bounded
        self._stop = stop
        self._counters = counters
        self._policy = GapPolicy(address, counters, continues=on_gap == "continue")
        self._offsets = GroupOffsets(group)
        self._to = to
        self._sliced = bounded if sliced is None else sliced
        self._samples = samples
        self._ranges: dict[int, OffsetRange] = {}
        self._look = NO_LOOK
        self._is_listed = False
        self._gaps: list[Gap] = []
        self._fetcher: Fetcher | None = None
        self._saved: Collection[str] = ()
        self._building = Lock()  # the worker threads of a process share the source and its fetcher

    def list_parts(self) -> list[str]:
        """Look up the topic, and return the numbers of its partitions, with those of an earlier topic.

        Calls before the first build share a look.
        """
        if not self._is_listed:
            self._ranges = look_up(self._address, self._start, self._to)
            self._look = look_at(self._address)
            self._is_listed = True
        return sorted({*map(str, self._ranges), *self._saved}, key=int)

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> KafkaPartition | GonePartition:  # noqa: ARG002  Bytewax passes all three
        """Build one partition."""
        partition = int(for_part)
        with self._building:
            self._is_listed = False
            if partition not in self._ranges:
                return self._build_gone(partition, resume_state)
            position = self._position(partition, resume_state)
            origin = KafkaOrigin(self._address.topic, partition)
            buffer = PartitionBuffer(origin, position, sliced=self._sliced, samples=self._samples)
            fetcher = self._fetcher_for(partition)
            fetcher.add(buffer)
        return KafkaPartition(
            buffer,
            fetcher,
            self._stop,
            self._counters,
            self._offsets,
            self._policy,
            self._gaps,
            self._ranges[partition].end,
        )

    def _build_gone(self, partition: int, saved: Snapshot | None) -> GonePartition:
        position, held, identity = Position.from_snapshot(saved or (0, None)), NO_RANGE, self._look.identity
        if gap := find_gap(position, held, identity, partition):
            if self._policy.continues:
                position = self._policy.pass_over(gap, position, held, identity)
            else:
                self._gaps.append(gap)
        return GonePartition(position, self._policy, self._gaps)

    @property
    def partitions(self) -> int:
        """Number of the partitions that the topic has."""
        return len(self._ranges)

    def resume_parts(self, saved: Collection[str]) -> None:
        """Note the partitions with a position to resume from in any process: all others joined the topic later."""
        self._saved = [name for name in saved if name.isdecimal()]

    def confirm_end(self) -> None:
        """Commit the offsets of the last checkpoint to the group, after the end of the dataflow."""
        self._offsets.complete_all()
        if self._offsets.pending:
            with suppress(KafkaError), TopicAdmin(self._address, _END_MS) as admin:
                self._offsets.commit(admin)

    def _position(self, partition: int, saved: Snapshot | None) -> Position:
        """Return the position to read from, behind a gap if the run continues there."""
        held, look = self._ranges[partition], self._look
        if saved is None:
            joined_later = bool(self._saved) and str(partition) not in self._saved
            position = first_position(held, look.identity, bounded=self._bounded, joined_later=joined_later)
            check_start(position, held, f"{self._address}, partition {partition}")
        else:
            position = resumed_position(Position.from_snapshot(saved), held, bounded=self._bounded)
            position = self._without_gap(partition, position, look)
        if position.stop == held.end:
            self._report_held_back(partition, look)
        return position

    def _without_gap(self, partition: int, position: Position, look: TopicLook) -> Position:
        held = self._ranges[partition]
        if gap := find_gap(position, held, look.identity, partition):
            gap = self._policy.located(gap, position, held)
            if self._policy.continues:
                return self._policy.pass_over(gap, position, held, look.identity)
            self._gaps.append(gap)  # an error of the first read names the gaps of all partitions
            return position
        if look.identity != position.identity:
            _log.info(
                "source.identity_adopted", address=str(self._address), partition=partition, **look.identity._asdict()
            )
        self._offsets.take(partition, position.offset)  # a snapshot to resume from is that of a completed checkpoint
        return position._replace(identity=look.identity)

    def _report_held_back(self, partition: int, look: TopicLook) -> None:
        if held_back := look.held.get(partition):
            self._counters.held_back += held_back
            _log.warning(
                "source.records_held_back",
                address=str(self._address),
                partition=partition,
                records=held_back,
                advice="the read ends before an open transaction; run it again after the end of the transaction",
            )

    def _fetcher_for(self, partition: int) -> Fetcher:
        """Return the fetcher of this run; a fetcher that already has the partition belongs to an earlier run."""
        if self._fetcher is None or partition in self._fetcher.buffers:
            if self._fetcher is not None:
                self._fetcher.close()
            self._fetcher = Fetcher(
                self._address,
                len(self._ranges),
                self._counters,
                self._policy,
                self._offsets,
                bounded=self._bounded,
                sliced=self._sliced,
            )
        return self._fetcher
