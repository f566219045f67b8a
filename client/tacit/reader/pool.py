"""Connections of the sync reader to one server: redis-py's pool, safe where a signal handler interrupts a read.

An exception of a signal handler can interrupt any Python code, redis-py's and the standard library's included.
`ReaderPool` then gives no connection with unread replies to another thread, and blocks no other thread.
The interrupted read may still cost the pool a place, so `tacit.reader.transport` replaces the pool.
"""

import os
import time
from contextlib import suppress
from queue import Full
from threading import Lock
from typing import Any, cast

import redis

from tacit.reader.pipeline import CONNECTION_ERRORS, Connection

TIMEOUT_S = 0.1
"""Longest wait for a free connection, and for a reply."""
CONNECT_TIMEOUT_S = 0.2
MAX_CONNECTIONS = 32

_RECHECK_S = 0.005
"""Longest wait between two looks at the free connections, as one wake-up can stand for several connections."""


class NoFreeConnectionError(redis.ConnectionError):
    """All connections are in use; the server is not at fault."""


class FreeConnections:
    """`queue.LifoQueue` for exceptions of signal handlers, which can leave the locks of `LifoQueue` locked.

    >>> free = FreeConnections(1)
    >>> free.put_nowait("connection")
    >>> free.get(timeout=0.1)
    'connection'
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self.queue: list[Any] = []
        """Free connections, and None for each connection that can still be made; redis-py reads this list."""
        self._is_empty = Lock()
        """Released to wake a waiting thread; no thread holds this lock while it runs."""

    def put_nowait(self, connection: Any) -> None:
        """Add a connection; raise `queue.Full` if there are `maxsize` entries."""
        if len(self.queue) >= self._maxsize:
            raise Full
        self.queue.append(connection)
        if self._is_empty.locked():
            with suppress(RuntimeError):  # another thread has released it
                self._is_empty.release()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002  as LifoQueue
        """Remove and return the newest entry; raise `NoFreeConnectionError` after `timeout` seconds without one."""
        until_s = time.monotonic() + (timeout or 0.0)
        while True:
            try:
                return self.queue.pop()
            except IndexError:
                left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise NoFreeConnectionError
            self._is_empty.acquire(timeout=min(left_s, _RECHECK_S))


class ReaderPool(redis.BlockingConnectionPool):
    """At most `MAX_CONNECTIONS` connections; redis-py makes new ones in a forked process.

    Open connections take a short path, which saves 10 µs of CPU per read; redis-py's methods handle all other cases.
    redis-py's metrics therefore count an open connection as used, and a closed one as idle.
    """

    # redis-py's pools have no types.

    def __init__(self, connection_class: type[redis.Connection], settings: dict[str, Any]) -> None:
        super().__init__(MAX_CONNECTIONS, TIMEOUT_S, connection_class, FreeConnections, **settings)  # type: ignore[no-untyped-call]

    def take(self) -> Connection:
        """Return a connection that is open and has no unread reply.

        Raises:
            NoFreeConnectionError: no connection becomes free in time.
            redis.RedisError: the server does not accept the connection.
        """
        connection = self._take_ready() if self.pid == os.getpid() else None
        return cast("Connection", connection or self.get_connection())  # type: ignore[no-untyped-call]

    def _take_ready(self) -> redis.Connection | None:
        """Return the newest free connection if it is open and has no unread reply."""
        try:
            connection: redis.Connection | None = self.pool.queue.pop()
        except IndexError:
            return None
        if connection is None:
            self.pool.put_nowait(None)
            return None
        try:
            if connection.is_connected and not connection.can_read():
                return connection
        except CONNECTION_ERRORS:  # closed by the server
            pass
        self.release(connection)
        return None

    def give_back(self, connection: Connection) -> None:
        """Free a connection that is closed or has no unread reply."""
        if connection.is_connected and connection.pid == self.pid == os.getpid():
            self.pool.put_nowait(connection)
        else:
            super().release(connection)  # type: ignore[no-untyped-call]

    def release(self, connection: Any) -> None:
        """Close a connection that may have unread replies, and free its place.

        redis-py calls this method where it fails to make a connection ready.
        """
        connection.disconnect()
        self.give_back(connection)
