"""Source of a live run: a topic without rounds, with a mark for all shards after Redis lost data."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any, cast

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.kafka.partition import GonePartition, KafkaPartition
from connectors.kafka.source import KafkaSource
from connectors.rounds.source import without_round
from state.counters import SourceCounters
from state.events.records import Record, Restore

Item = Record | Restore


class LiveSource(FixedPartitionedSource[Item, Any]):
    """A topic without an end, which also resumes from the positions of a bounded run.

    Args:
        source: the topic.
        loss: returns the number of the loss after which Redis is not whole yet; 0 for none.
        counters: counters of the source.
    """

    def __init__(self, source: KafkaSource, loss: Callable[[], int], counters: SourceCounters) -> None:
        self._source = source
        self._counters = counters
        self._loss = loss

    def list_parts(self) -> list[str]:
        """Return the names of the partitions; Bytewax asks once all processes are connected, which is progress."""
        self._counters.progressed_at = monotonic()
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> StatefulSourcePartition[Item, Any]:
        """Build a partition."""
        part = self._source.build_part(step_id, for_part, without_round(resume_state))
        if isinstance(part, GonePartition):
            return cast("StatefulSourcePartition[Item, Any]", part)
        return LivePartition(part, self._loss, Restore(0, for_part, self._source.partitions), self._counters)


class LivePartition(StatefulSourcePartition[Item, Any]):
    """One partition, with a `Restore` behind its records, once for each loss.

    A "no" that Redis had may be in records that an internal restart reads again. So the mark waits until the partition
    has passed on all records that the topic held at the start of the source.
    """

    def __init__(self, part: KafkaPartition, loss: Callable[[], int], mark: Restore, counters: SourceCounters) -> None:
        self._part = part
        self._counters = counters
        self._has_caught_up = False
        self._loss = loss
        self._mark = mark

    def next_batch(self) -> list[Item]:
        """Return the next records; as `KafkaPartition.next_batch`."""
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
