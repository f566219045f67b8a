"""Feed of new population versions from Redis, on a thread of its own."""

from collections.abc import Callable
from contextlib import closing
from threading import Event, Thread
from types import TracebackType
from typing import Self

from connectors.outage import OutageLog
from connectors.population.redis_store import PopulationRedisStore
from state.learning.population_version import PopulationVersion

_END_S = 1.0
"""Longest wait for the end of the thread; a thread that waits for Redis ends later, without another version."""


class PopulationFeed:
    """Feed that passes on each newer version while the context lasts; a failure of Redis does not end the feed.

    Args:
        make_store: factory of the thread's store; its client should not retry.
        hand_over: callback in the feed's thread.
        after: number of the current version.
        interval_s: time between two reads.
    """

    def __init__(
        self,
        make_store: Callable[[], PopulationRedisStore],
        hand_over: Callable[[PopulationVersion], object],
        *,
        after: int = 0,
        interval_s: float = 1.0,
    ) -> None:
        self._make_store = make_store
        self._hand_over = hand_over
        self._last = after
        self._interval_s = interval_s
        self._stop = Event()
        self._outages = OutageLog("population_feed")

    def __enter__(self) -> Self:
        """Start the thread; raise the errors of `make_store`."""
        self._thread = Thread(target=self._run, args=(self._make_store(),), name="population-feed", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(_END_S)

    def _run(self, store: PopulationRedisStore) -> None:
        with closing(store):
            while not self._stop.is_set():
                self._read(store)
                self._stop.wait(self._interval_s)

    def _read(self, store: PopulationRedisStore) -> None:
        try:
            version = store.newest(above=self._last)
            if version is not None and not self._stop.is_set():
                self._last = version.n  # first: an unusable version is not read again
                self._hand_over(version)
        except Exception as error:  # the end of this thread would leave the process with an old version
            self._outages.failed(error=f"{type(error).__name__}: {error}", last=self._last)
        else:
            self._outages.recovered(last=self._last)
