"""Whether asking Redis is worth the wait: a circuit breaker (Nygard, "Release It!", 2nd ed., 2018, chapter 5)."""

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 3
"""After so many round trips without an answer, one after the other, nobody asks any more."""
OPEN_FOR_S = 1.0
"""But one, after this time; an answer closes the circuit."""


class CircuitBreaker:
    """For any number of threads.

    >>> now_s = 0.0
    >>> breaker = CircuitBreaker(lambda: now_s)
    >>> for _ in range(FAILURES):
    ...     breaker.note(is_answered=False)
    >>> breaker.allows()
    False
    >>> now_s = OPEN_FOR_S
    >>> breaker.allows(), breaker.allows()
    (True, False)
    >>> breaker.note(is_answered=True)
    >>> breaker.allows()
    True
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._failures = 0
        self._open_until_s = 0.0
        self._lock = Lock()

    def allows(self) -> bool:
        """Say whether to ask; while the circuit is open one caller in each `OPEN_FOR_S` may."""
        if self._failures < FAILURES:
            return True
        with self._lock:
            now_s = self._clock_s()
            if now_s < self._open_until_s:
                return False
            self._open_until_s = now_s + OPEN_FOR_S
            return True

    def note(self, *, is_answered: bool) -> None:
        """Take in what became of a round trip."""
        if is_answered:
            self._failures = 0
            return
        with self._lock:
            self._failures += 1
            self._open_until_s = self._clock_s() + OPEN_FOR_S
