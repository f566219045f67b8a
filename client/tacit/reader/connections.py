"""The connections of a reader to one server, for threads: redis-py's, kept by less than its own pool costs.

Of a read's 100 µs of CPU that pool takes 10 to 15; `benchmarks.serving` has what this one leaves.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from weakref import WeakSet

from tacit.reader.wire import Connection


class Connections:
    """At most so many that live, each with one user at a time; a fork shares none with its parent.

    Whether the server has closed one meanwhile shows when it is used. One that is never given back, as an exception of
    a signal's handler came in between, leaves its place when it is collected.
    """

    def __init__(self, make: Callable[[], Connection], most: int, wait_s: float) -> None:
        self._make = make
        self._most = most
        self._wait_s = wait_s
        self.begin()
        _ALL.add(self)

    def begin(self) -> None:
        """Begin with no connection."""
        self._idle = SimpleQueue[Connection]()
        self._living = WeakSet[Connection]()
        self._making = Lock()

    def take(self) -> Connection | None:
        """Return a connection that nobody else has, which connects when it is used; None if none gets free in time."""
        with suppress(Empty):
            return self._idle.get_nowait()
        with self._making:
            if len(self._living) < self._most:
                connection = self._make()
                self._living.add(connection)
                return connection
        with suppress(Empty):
            return self._idle.get(timeout=self._wait_s)
        return None

    def give(self, connection: Connection) -> None:
        """Take a connection back of which every reply was read."""
        if connection.pid == os.getpid():
            self._idle.put(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection on which replies may still come: they are nobody's. Another one may take its place."""
        self._living.discard(connection)
        connection.disconnect()

    def close(self) -> None:
        """Close those that nobody uses."""
        with suppress(Empty):
            while True:
                self.drop(self._idle.get_nowait())


_ALL = WeakSet[Connections]()


def _begin_anew() -> None:
    for connections in _ALL:
        connections.begin()


os.register_at_fork(after_in_child=_begin_anew)  # before the child has a second thread
