"""The connections of a reader to one server, for threads: redis-py's, kept by less than its own pool costs.

Of a read's 100 µs of CPU that pool takes 10 to 15; `benchmarks.serving` has what this one leaves.
"""

from collections.abc import Callable
from contextlib import suppress
from os import getpid
from queue import Empty, LifoQueue

from connectors.redis_wire import Connection


class Connections:
    """At most so many; the one that was used last is taken first, and a fork shares none with its parent.

    Whether the server has closed one meanwhile shows when it is used.
    """

    def __init__(self, make: Callable[[], Connection], most: int, wait_s: float) -> None:
        self._make = make
        self._most = most
        self._wait_s = wait_s
        self._begin()

    def take(self) -> Connection | None:
        """Return a connection that nobody else has, which connects when it is used; None if none gets free in time."""
        if self._pid != getpid():
            self._begin()
        try:
            return self._idle.get(timeout=self._wait_s) or self._make()
        except Empty:
            return None

    def give(self, connection: Connection) -> None:
        """Take a connection back."""
        if connection.pid == self._pid:
            self._idle.put_nowait(connection)

    def close(self) -> None:
        """Close those that nobody uses."""
        idle: list[Connection | None] = []
        with suppress(Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for connection in idle:
            if connection:
                connection.disconnect()
            self._idle.put_nowait(None)

    def _begin(self) -> None:
        self._pid = getpid()
        self._idle: LifoQueue[Connection | None] = LifoQueue()
        for _ in range(self._most):
            self._idle.put_nowait(None)
