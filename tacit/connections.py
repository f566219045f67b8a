"""The connections of a reader to one server, for threads: redis-py's, kept by less than its own pool costs.

Of a read's 100 µs of CPU that pool takes 10 to 15; `benchmarks.serving` has what this one leaves.
"""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from weakref import WeakSet

from connectors.redis_wire import Connection


class Connections:
    """At most so many; the one that was used last is taken first, and a fork shares none with its parent.

    Whether the server has closed one meanwhile shows when it is used. Both queues are C: an exception of a signal
    handler can strike between two of their operations and not within one.
    """

    def __init__(self, make: Callable[[], Connection], most: int, wait_s: float) -> None:
        self._make = make
        self._most = most
        self._wait_s = wait_s
        self.begin()
        _ALL.add(self)

    def begin(self) -> None:
        """Begin with no connection."""
        self._idle = deque[Connection]()
        self._permits = SimpleQueue[None]()
        for _ in range(self._most):
            self._permits.put(None)

    def take(self) -> Connection | None:
        """Return a connection that nobody else has, which connects when it is used; None if none gets free in time."""
        try:
            self._permits.get(timeout=self._wait_s)
        except Empty:
            return None
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._make()
        except BaseException:
            self._permits.put(None)
            raise

    def give(self, connection: Connection) -> None:
        """Take a connection back of which every reply was read."""
        if connection.pid == os.getpid():
            self._idle.append(connection)
            self._permits.put(None)

    def drop(self, connection: Connection) -> None:
        """Close a connection on which replies may still come: they are nobody's."""
        try:
            connection.disconnect()
        finally:
            if connection.pid == os.getpid():
                self._permits.put(None)

    def close(self) -> None:
        """Close those that nobody uses."""
        with suppress(IndexError):
            while True:
                self._idle.pop().disconnect()


_ALL = WeakSet[Connections]()


def _begin_anew() -> None:
    for connections in _ALL:
        connections.begin()


os.register_at_fork(after_in_child=_begin_anew)  # before the child has a second thread
