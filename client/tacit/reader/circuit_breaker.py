"""Circuit breaker: after several failures in a row, readers stop sending to Redis for a while.

Nygard, "Release It!", 2nd ed., 2018, chapter 5.
"""

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 3
"""Consecutive round trips without an answer that open the circuit."""
OPEN_FOR_S = 1.0
"""Time until one round trip is allowed as a test; its answer closes the circuit."""


class CircuitBreaker:
    """Circuit breaker of one server, safe for threads.

    >>> now_s = 0.0
    >>> breaker = CircuitBreaker(lambda: now_s)
    >>> for _ in range(FAILURES):
    ...     breaker.record(is_answered=False)
    >>> breaker.allows()
    False
    >>> now_s = OPEN_FOR_S
    >>> breaker.allows(), breaker.allows()
    (True, False)
    >>> breaker.record(is_answered=True)
    >>> breaker.allows()
    True
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._failures = 0
        self._open_until_s = 0.0
        self._lock = Lock()

    def allows(self) -> bool:
        """Return whether to send; while the circuit is open, one call per `OPEN_FOR_S` returns True."""
        if self._failures < FAILURES:
            return True
        with self._lock:
            now_s = self._clock_s()
            if now_s < self._open_until_s:
                return False
            self._open_until_s = now_s + OPEN_FOR_S
            return True

    def record(self, *, is_answered: bool) -> None:
        """Record the outcome of a round trip."""
        if is_answered:
            self._failures = 0
            return
        with self._lock:
            self._failures += 1
            self._open_until_s = self._clock_s() + OPEN_FOR_S
