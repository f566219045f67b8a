"""Account of a bounded run as a step of the dataflow: its sums belong to the same checkpoints as the positions.

Each step that decides about records passes its counts on behind its output. After a kill the dataflow repeats the
records since the last checkpoint, and the sums of the account are those of that checkpoint, too.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from bytewax.operators import StatefulBatchLogic

from operators.key import Group
from state.account import Account, Counted, origin_name, some_places
from state.counters import EventCounters
from state.events.records import Origin, Record, Reject, ToAllShards

Name = TypeVar("Name")


class Counts:
    """Counts of a process's events since the last look; its steps run one after the other, in one thread."""

    def __init__(self, counters: EventCounters) -> None:
        self._counters = counters
        self._outcomes = dict(counters.outcomes)
        self._rejects = dict(counters.rejects)
        self._controls = dict(counters.control_rejects)
        self._in_range = counters.in_range

    def take(self, items: Iterable[object], records: int = 0, ranges: tuple[Any, ...] = ()) -> Counted | None:
        """Return the counts since the last call, None without any; `items` has the rejects among them."""
        counters = self._counters
        outcomes = _differences(self._outcomes, counters.outcomes)
        rejects = _differences(self._rejects, counters.rejects)
        controls = _differences(self._controls, counters.control_rejects)
        if not (records or outcomes or rejects or controls):
            return None
        places = some_places(items) if rejects or controls else ()
        in_range, self._in_range = counters.in_range - self._in_range, counters.in_range
        times = (counters.oldest_ms, counters.newest_ms, in_range, counters.interactions_ms)
        return Counted(records, ranges, outcomes, rejects, controls, places, *times)


def _differences(before: dict[Name, int], now: dict[Name, int]) -> tuple[tuple[Name, int], ...]:
    if before == now:
        return ()
    found = tuple((name, count - before[name]) for name, count in now.items() if count != before[name])
    before.update(now)
    return found


def counted_keyer(
    key: Callable[[Sequence[Record | ToAllShards]], Iterable[Group | Reject]], counts: Counts
) -> Callable[[Sequence[Record | ToAllShards]], Iterable[Group | Reject | Counted]]:
    """Return the keyer with the counts of each batch behind its groups and rejects."""

    def counted(items: Sequence[Record | ToAllShards]) -> Iterable[Group | Reject | Counted]:
        found = list(key(items))
        records = [item for item in items if isinstance(item, Record)]
        counted = counts.take(found, len(records), _ranges(records))
        return [*found, counted] if counted else found

    return counted


def _ranges(records: Sequence[Record]) -> tuple[tuple[str, int, int], ...]:
    """Return origin, first position and position behind the last one, for each origin of a batch."""
    found: dict[Origin, tuple[int, int]] = {}
    if records:
        first, last = records[0], records[-1]
        if first.origin == last.origin and last.position - first.position + 1 == len(records):
            return ((origin_name(first.origin), first.position, last.position + 1),)
    for record in records:
        low, high = found.get(record.origin, (record.position, record.position + 1))
        found[record.origin] = min(low, record.position), max(high, record.position + 1)
    return tuple((origin_name(origin), *positions) for origin, positions in found.items())


class CountedStep(StatefulBatchLogic[Any, Any, Any]):
    """A shard's step with the counts of each batch behind its output."""

    def __init__(self, step: StatefulBatchLogic[Any, Any, Any], counts: Counts) -> None:
        self._step = step
        self._counts = counts

    def on_batch(self, values: list[Any]) -> tuple[Iterable[Any], bool]:
        """Return the output of the step, then the counts."""
        items, is_discarded = self._step.on_batch(values)
        counted = self._counts.take(items)
        return [*items, counted] if counted else items, is_discarded

    def notify_at(self) -> datetime | None:
        """Return the time of the step."""
        return self._step.notify_at()

    def on_notify(self) -> tuple[Iterable[Any], bool]:
        """Call the step at its time."""
        return self._step.on_notify()

    def on_eof(self) -> tuple[Iterable[Any], bool]:
        """Call the step at the end of the stream."""
        return self._step.on_eof()

    def snapshot(self) -> Any:
        """Return the snapshot of the step."""
        return self._step.snapshot()


class AccountStep(StatefulBatchLogic[Counted, None, bytes]):
    """Sums of the whole run, in one process."""

    def __init__(self, packed: bytes | None, keep: Callable[[Account], object]) -> None:
        """Resume from a snapshot, or begin; `keep` gets the account, which then changes in place."""
        self.account = msgspec.json.decode(packed, type=Account) if packed else Account()
        keep(self.account)

    def on_batch(self, values: list[Counted]) -> tuple[Iterable[None], bool]:
        """Take in counts."""
        for counted in values:
            self.account.add(counted)
        return (), StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """Return the sums."""
        return msgspec.json.encode(self.account)
