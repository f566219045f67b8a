"""Limit of the records per second that all processes of a run read together."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from time import monotonic
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.rounds.source import Releasing
from state.events.records import Record

BURST_S = 0.5
"""Records of this time may come at once."""

_LOOK_EVERY = timedelta(milliseconds=50)
"""Time between looks at the limit and at the stop request: some 0.3 % of a core."""


class Pace:
    """Token bucket in shared memory: at most `rate` records per second in all processes together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst_s = max(BURST_S, 1 / rate)
        self._paid_until = get_context("spawn").Value("d", monotonic())
        """Time up to which records are used up, on the clock that all processes of a machine share."""

    def take(self, most: int) -> int:
        """Return the number of records that may be emitted now, at most `most`, and use them up."""
        with self._paid_until:
            now_s = monotonic()
            paid_s = max(self._paid_until.value, now_s - self._burst_s)
            count = min(most, int((now_s - paid_s) * self._rate + 1e-6))
            self._paid_until.value = paid_s + count / self._rate
        return count

    def give_back(self, count: int) -> None:
        """Return records that were taken and not used."""
        with self._paid_until:
            self._paid_until.value -= count / self._rate


class PacedSource(FixedPartitionedSource[Record, Any]):
    """Another source of a bounded run, slowed down; its positions are those of that source."""

    def __init__(self, source: FixedPartitionedSource[Record, Any], pace: Pace) -> None:
        self._source = source
        self._pace = pace

    def list_parts(self) -> list[str]:
        """Return the partitions of the source."""
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: Any | None) -> "PacedPartition":
        """Build a partition of the source, slowed down."""
        part: Any = self._source.build_part(step_id, for_part, resume_state)
        return PacedPartition(part, self._pace)


class PacedPartition(StatefulSourcePartition[Record, Any]):
    """Partition that releases no more records than the limit allows."""

    def __init__(self, part: Releasing, pace: Pace) -> None:
        self._part = part
        self._pace = pace
        self._waits = False

    def next_batch(self) -> Sequence[Record]:
        """Return the records that the limit allows."""
        return self.take(1000)

    def take(self, most: int) -> Sequence[Record]:
        """Return up to `most` records; none while the limit allows none."""
        allowed = self._pace.take(most)
        self._waits = not allowed
        if self._waits:
            return []
        records: Sequence[Record] = ()
        try:
            records = self._part.take(allowed)
        finally:
            self._pace.give_back(allowed - len(records))
        return records

    def hold(self) -> None:
        """Note that the partition waits for others."""
        self._part.hold()

    def next_awake(self) -> datetime | None:
        """Return the time of the next look."""
        return datetime.now(UTC) + _LOOK_EVERY if self._waits else self._part.next_awake()

    def snapshot(self) -> Any:
        """Return the position of the next record."""
        return self._part.snapshot()

    def close(self) -> None:
        """Close the partition of the source."""
        self._part.close()
