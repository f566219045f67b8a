"""Transport of commands to Redis: a pool and a circuit breaker per server, and a bound on every wait.

This module imports redis-py, the slowest import of a reader, so the first reader made imports this module.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from tacit.errors import ConfigurationError
from tacit.reader.circuit_breaker import CircuitBreaker
from tacit.reader.cluster_map import Address, ClusterMap, Replies, Requests, home_of, settings_of
from tacit.reader.pipeline import CONNECTION_ERRORS, Connection, as_redis_error, is_lost, pack, receive, send
from tacit.reader.pool import CONNECT_TIMEOUT_S, MAX_CONNECTIONS, TIMEOUT_S, NoFreeConnectionError, ReaderPool
from tacit.reader.redis_url import UrlPool, pool_of
from tacit.reader.round_trips import Command, Reply, run, run_async

MAX_ROUND_TRIP_S = CONNECT_TIMEOUT_S + TIMEOUT_S
"""Limit of a round trip with asyncio; with threads, a reply that arrives in pieces may take longer."""

_NOT_SENT: Reply = redis.ConnectionError()
"""Reply to a command that was not sent."""

Pool = TypeVar("Pool", ReaderPool, redis.asyncio.BlockingConnectionPool)


class _Servers(Generic[Pool]):
    """Pools and circuit breakers of the servers in use, and the map of the keys they hold."""

    def __init__(self, settings: dict[str, Any], make: Callable[[dict[str, Any]], Pool]) -> None:
        self._settings = settings
        self._make: Callable[[dict[str, Any]], Pool] = make
        self.map = ClusterMap(home_of(settings))
        self.pools: dict[Address, Pool] = {}
        self._breakers: dict[Address, CircuitBreaker] = {}

    def pool(self, address: Address) -> Pool:
        """Return the pool of a server; ConfigurationError if the URL's settings do not fit this server."""
        found = self.pools.get(address)
        if found is None:
            found = self._make(settings_of(address, self.map.home, self._settings))
            found = self.pools.setdefault(address, found)
        return found

    def breaker(self, address: Address) -> CircuitBreaker:
        """Return the circuit breaker of a server."""
        found = self._breakers.get(address)
        return found if found is not None else self._breakers.setdefault(address, CircuitBreaker())

    def record(self, address: Address, *, is_answered: bool) -> None:
        """Record the outcome of a round trip."""
        self.breaker(address).record(is_answered=is_answered)
        if not is_answered:
            self.map.lose(address)


_LoopServers = _Servers[redis.asyncio.BlockingConnectionPool]

_Sent = tuple[Connection, ReaderPool]
"""A connection on which replies are due, and the pool it returns to."""


class Transport:
    """Transport for threads."""

    def __init__(self, url: str) -> None:
        template = _template(url, redis.ConnectionPool, Retry(NoBackoff(), 0))
        self._servers = _Servers(
            template.connection_kwargs, lambda settings: ReaderPool(template.connection_class, settings)
        )

    def close(self) -> None:
        """Close all free connections; a connection in use closes after its read."""
        pools = [*self._servers.pools.values()]
        self._servers.pools.clear()
        for pool in pools:
            pool.disconnect(inuse_connections=False)

    def execute(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply per command, in one round trip unless a Redis Cluster redirects commands."""
        servers = self._servers
        try:
            if not servers.map.is_cluster:
                home = servers.map.home
                replies = self._receive(home, self._send(home, commands), commands)
                if not servers.map.is_redirected(replies):
                    return replies
            return run(servers.map.follow(commands), partial(self._execute, time.monotonic() + TIMEOUT_S))
        except BaseException:
            # A signal handler interrupted the read: connections may have replies left, and pools may have lost places.
            servers.pools.clear()
            raise

    def _execute(self, until_s: float, requests: Requests) -> Replies:
        """Send to all servers before reading; after the first late reply, read only replies that have arrived."""
        sent = {
            address: self._send(address, commands) if time.monotonic() < until_s else None
            for address, commands in requests.items()
        }
        answered_by_s = time.monotonic() + TIMEOUT_S  # connecting has a limit of its own
        replies: Replies = {}
        for address, commands in requests.items():
            found = sent[address]
            if found and time.monotonic() >= answered_by_s and not _has_reply(found[0]):
                connection, pool = found
                pool.release(connection)
                self._servers.record(address, is_answered=False)
                found = None
            replies[address] = self._receive(address, found, commands)
        return replies

    def _send(self, address: Address, commands: Sequence[Command]) -> _Sent | None:
        """Send to one server; None if the circuit is open, all connections are in use, or the server fails."""
        if not self._servers.breaker(address).allows():
            return None
        try:
            pool = self._servers.pool(address)
            connection = pool.take()
        except (ConfigurationError, NoFreeConnectionError):
            return None
        except (*CONNECTION_ERRORS, AttributeError):
            # A signal handler may have raised the error, so the pool may have lost a place: a new pool replaces it.
            # redis-py 8.1 raises AttributeError where a connection to a Unix socket times out.
            self._servers.pools.pop(address, None)
            self._servers.record(address, is_answered=False)
            return None
        if send(connection, commands) is None:
            return connection, pool
        pool.release(connection)
        self._servers.record(address, is_answered=False)
        return None

    def _receive(self, address: Address, sent: _Sent | None, commands: Sequence[Command]) -> list[Reply]:
        if sent is None:
            return [_NOT_SENT] * len(commands)
        connection, pool = sent
        replies = receive(connection, len(commands), time.monotonic() + 2 * TIMEOUT_S)
        pool.give_back(connection)  # every reply is read, or the connection is closed
        self._servers.record(address, is_answered=not is_lost(replies[-1]))
        return replies


def _has_reply(connection: Connection) -> bool:
    try:
        return connection.can_read(0)
    except CONNECTION_ERRORS:
        return False


class AsyncTransport:
    """Transport for the tasks of event loops: a connection belongs to a loop, so each loop has its own."""

    def __init__(self, url: str) -> None:
        self._template = _template(url, redis.asyncio.ConnectionPool, AsyncRetry(NoBackoff(), 0))
        self._by_loop: dict[asyncio.AbstractEventLoop, _LoopServers] = {}

    @property
    def _servers(self) -> _LoopServers:
        """Servers of the running loop; those of closed loops are dropped."""
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            for other in list(self._by_loop):  # a copy, as other threads add their loops meanwhile
                if other.is_closed():
                    self._by_loop.pop(other, None)
            found = self._by_loop[loop] = _Servers(self._template.connection_kwargs, self._make_pool)
        return found

    def _make_pool(self, settings: dict[str, Any]) -> redis.asyncio.BlockingConnectionPool:
        kind = self._template.connection_class
        return redis.asyncio.BlockingConnectionPool(MAX_CONNECTIONS, TIMEOUT_S, connection_class=kind, **settings)

    async def close(self) -> None:
        """Close all connections of the running loop."""
        for pool in self._servers.pools.values():
            await pool.disconnect()

    async def execute(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply per command, in one round trip unless a Redis Cluster redirects commands."""
        servers, until_s = self._servers, time.monotonic() + TIMEOUT_S
        try:
            async with asyncio.timeout(MAX_ROUND_TRIP_S):
                return await run_async(servers.map.follow(commands), partial(_execute, servers, until_s))
        except TimeoutError:
            return [_NOT_SENT] * len(commands)


async def _execute(servers: _LoopServers, until_s: float, requests: Requests) -> Replies:
    if time.monotonic() >= until_s:
        return {server: [_NOT_SENT] * len(commands) for server, commands in requests.items()}
    if len(requests) == 1:
        return {server: await _execute_on(servers, server, commands) for server, commands in requests.items()}
    replies = await asyncio.gather(*[_execute_on(servers, *request) for request in requests.items()])
    return dict(zip(requests, replies, strict=True))


async def _execute_on(servers: _LoopServers, address: Address, commands: Sequence[Command]) -> list[Reply]:
    if not servers.breaker(address).allows():
        return [_NOT_SENT] * len(commands)
    try:
        pool = servers.pool(address)
    except ConfigurationError:
        return [_NOT_SENT] * len(commands)
    started_s = time.monotonic()
    replies = await _try(pool, commands)
    if isinstance(replies[-1], redis.ConnectionError) and time.monotonic() < started_s + TIMEOUT_S:
        # The server closed an idle connection, and the event loop has not seen the end of the stream yet.
        replies = await _try(pool, commands)
    servers.record(address, is_answered=not is_lost(replies[-1]))
    return replies


async def _try(pool: redis.asyncio.BlockingConnectionPool, commands: Sequence[Command]) -> list[Reply]:
    replies: list[Reply] = []
    try:
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(pack(commands))
            while len(replies) < len(commands):
                try:
                    replies.append(await connection.read_response())
                except redis.ResponseError as error:
                    replies.append(error)
        finally:
            if len(replies) < len(commands):  # late replies would reach the next task
                await connection.disconnect(nowait=True)
            await pool.release(connection)
    except CONNECTION_ERRORS as error:
        replies += [as_redis_error(error)] * (len(commands) - len(replies))
    return replies


def _template(url: str, kind: type[UrlPool], no_retry: Retry | AsyncRetry) -> UrlPool:
    limits = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S, "retry": no_retry}
    pool = pool_of(url, kind)
    pool.connection_kwargs.update(limits)  # the URL cannot change the limits
    return pool
