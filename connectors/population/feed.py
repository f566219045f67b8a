"""Each new version of the population belief, brought from Redis to one process by a thread of its own."""

from collections.abc import Callable
from contextlib import closing
from threading import Event, Thread
from types import TracebackType
from typing import Self

import structlog

from connectors.population.redis_store import PopulationRedisStore
from state.learning.population_version import PopulationVersion

_END_S = 1.0
"""How long the end waits for the thread; one that hangs on Redis ends by its timeout, and hands over nothing more."""

_log = structlog.get_logger(__name__)


class PopulationFeed:
    """Hands over versions, each newer than the last, while the context lasts.

    Trouble with Redis ends nothing: what was handed over stays, and the next look may do better.

    Args:
        make_store: makes the store that the thread uses and closes; its client should not retry by itself.
        hand_over: called in the feed's thread.
        after: the number of the version that there is already.
        interval_s: time between two looks.
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
        self._is_waiting = False
        """It met trouble and has not got through since."""

    def __enter__(self) -> Self:
        """Start looking; raises what making the store raises."""
        self._thread = Thread(target=self._run, args=(self._make_store(),), name="population-feed", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._stop.set()
        self._thread.join(_END_S)

    def _run(self, store: PopulationRedisStore) -> None:
        with closing(store):
            while not self._stop.is_set():
                self._look(store)
                self._stop.wait(self._interval_s)

    def _look(self, store: PopulationRedisStore) -> None:
        try:
            version = store.newest(above=self._last)
            if version is not None and not self._stop.is_set():
                self._last = version.n  # first: one that cannot be used is not tried again
                self._hand_over(version)
        except Exception as error:  # a thread that ended here would leave the process with an old belief for ever
            if not self._is_waiting:
                _log.warning("population.feed_waiting", error=f"{type(error).__name__}: {error}", last=self._last)
            self._is_waiting = True
            return
        if self._is_waiting:
            _log.info("population.feed_goes_on", last=self._last)
        self._is_waiting = False
