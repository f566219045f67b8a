"""Source of a live run: a topic or a log without rounds, with a mark for all shards after Redis lost data."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.rounds.source import without_round
from state.counters import SourceCounters
from state.events.records import Record, Restore

Item = Record | Restore


class Following(Protocol):
    """Partition of a source without an end."""

    @property
    def has_caught_up(self) -> bool:
        """True once the dataflow has taken every record that the source held at its start."""

    def next_batch(self) -> Sequence[Record]:
        """Return the next records."""

    def next_awake(self) -> datetime | None:
        """Return the time of the next read; None: at once."""

    def snapshot(self) -> Any:
        """Return the position."""

    def close(self) -> None:
        """Release resources."""


class Followed(Protocol):
    """Source without an end."""

    @property
    def partitions(self) -> int:
        """Number of the partitions that the source has."""

    def list_parts(self) -> list[str]:
        """Return the names of the partitions."""

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> Following:
        """Build one partition."""


class LiveSource(FixedPartitionedSource[Item, Any]):
    """A source without an end, which also resumes from the positions of a bounded run.

    Args:
        source: the topic or the log.
        loss: returns the number of the loss after which Redis is not whole yet; 0 for none.
        counters: counters of the source.
    """

    def __init__(self, source: Followed, loss: Callable[[], int], counters: SourceCounters) -> None:
        self._source = source
        self._counters = counters
        self._loss = loss

    def list_parts(self) -> list[str]:
        """Return the names of the partitions; Bytewax asks once all processes are connected, which is progress."""
        self._counters.progressed_at = monotonic()
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> "LivePartition":
        """Build a partition."""
        part = self._source.build_part(step_id, for_part, without_round(resume_state))
        return LivePartition(part, self._loss, Restore(0, for_part, self._source.partitions), self._counters)


class LivePartition(StatefulSourcePartition[Item, Any]):
    """One partition, with a `Restore` behind its records, once for each loss.

    A "no" that Redis had may be in records that an internal restart reads again. So the mark waits until the partition
    has passed on all records that the source held at the start of the source.
    """

    def __init__(self, part: Following, loss: Callable[[], int], mark: Restore, counters: SourceCounters) -> None:
        self._part = part
        self._counters = counters
        self._has_caught_up = False
        self._loss = loss
        self._mark = mark

    def next_batch(self) -> list[Item]:
        """Return the next records; as those of the partition."""
        if not self._has_caught_up and self._part.has_caught_up:  # by the batches before
            self._has_caught_up = True
            self._counters.catches_up(self._mark.partition, self._mark.partitions)
        items: list[Item] = [*self._part.next_batch()]
        number = self._loss()
        if number > self._mark.number and self._part.has_caught_up:
            self._mark = self._mark._replace(number=number)
            items.append(self._mark)
        return items

    def next_awake(self) -> datetime | None:
        """Return the time of the next read; None: at once."""
        return self._part.next_awake()

    def snapshot(self) -> Any:
        """Return the position."""
        return self._part.snapshot()

    def close(self) -> None:
        """Close the partition."""
        self._part.close()
