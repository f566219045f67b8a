"""Times of a shard's erasure: when to compact, and when to wake a shard without events."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from state.storage.erasure import ERASURE_CHECKPOINTS
from state.storage.shard_store import ShardStore


class ErasureTimes(NamedTuple):
    """Limits of an erasure, in milliseconds."""

    within_ms: int
    """Longest time from a wipe until no file has older bytes of the user."""
    checkpoint_ms: int
    """Time between checkpoints."""


class ErasureTimer:
    """Timer of one shard. The users of a while are compacted together, since a compaction has a fixed cost."""

    def __init__(self, times: ErasureTimes, clock: Callable[[], int]) -> None:
        """Use a clock that returns Unix epoch milliseconds."""
        self._times = times
        self._clock = clock
        self._compact_at_ms = 0
        """0: at once, as after a start, which knows no time of the wipes."""
        self._is_running = False

    def start(self) -> None:
        """Note a wipe; the first one since the last compaction sets the time of the next."""
        if not self._is_running:
            wait_ms = max(0, self._times.within_ms - ERASURE_CHECKPOINTS * self._times.checkpoint_ms)
            self._compact_at_ms = self._clock() + wait_ms
            self._is_running = True

    def step(self, store: ShardStore) -> None:
        """Take the next step of the erasure, if it is due."""
        if store.waits_for_compaction and self._clock() >= self._compact_at_ms and not store.is_settling:
            self._start_compaction(store)
        store.settle()

    def finish(self, store: ShardStore) -> None:
        """Take all steps of the erasure but its checkpoints; a temporary shard is deleted with its folder."""
        if not store.is_kept:
            return
        store.settle(waits=True)
        self._start_compaction(store)
        store.settle(waits=True)

    def _start_compaction(self, store: ShardStore) -> None:
        store.start_compaction()
        self._is_running = False
        self._compact_at_ms = 0

    def wake_at(self, store: ShardStore) -> datetime | None:
        """Return the time of the next step; a shard that settles needs one in each checkpoint interval."""
        if not store.is_erasing:
            return None
        if store.waits_for_compaction and not store.is_settling:
            at_ms = max(self._compact_at_ms, self._clock())
        else:
            at_ms = self._clock() + self._times.checkpoint_ms // 2
        return datetime.fromtimestamp(at_ms / 1000, UTC)
