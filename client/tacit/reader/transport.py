"""How readers ask Redis: each server behind a pool and a circuit breaker of its own, and never a long wait.

Of all that a reader imports, redis-py takes the longest: it is imported here only, when the first reader is made.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from tacit.errors import ConfigurationError
from tacit.reader.circuit_breaker import CircuitBreaker
from tacit.reader.cluster_map import Address, Answers, ClusterMap, Questions, home_of, settings_of
from tacit.reader.connections import Connections
from tacit.reader.dialogue import Command, Reply, hold, hold_async
from tacit.reader.wire import TROUBLE, Connection, as_lost, is_lost, pack, receive, send

TIMEOUT_S = 0.1
CONNECT_TIMEOUT_S = 0.2
LONGEST_S = CONNECT_TIMEOUT_S + TIMEOUT_S
"""What a round trip may take; with threads, one reply that comes in pieces may take longer."""
MAX_CONNECTIONS = 32

_NOT_ASKED: Reply = redis.ConnectionError()
"""The reply to what nobody was asked."""

Pool = TypeVar("Pool", Connections, redis.asyncio.BlockingConnectionPool)
_TemplateKind = TypeVar("_TemplateKind", redis.ConnectionPool, redis.asyncio.ConnectionPool)
"""What redis-py makes of a URL: a class of connections and their settings."""


@dataclass(slots=True)
class _Server(Generic[Pool]):
    """One server, and whether it is worth asking."""

    pool: Pool
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)


class _Servers(Generic[Pool]):
    """The servers that have been asked, and which of them holds what."""

    def __init__(self, settings: dict[str, Any], make: Callable[[dict[str, Any]], Pool]) -> None:
        self._settings = settings
        self._make: Callable[[dict[str, Any]], Pool] = make
        self.slots = ClusterMap(home_of(settings))
        self.known: dict[Address, _Server[Pool]] = {}

    def get(self, address: Address) -> _Server[Pool]:
        """Return a server; nothing is connected before it is asked."""
        found = self.known.get(address)
        if found is None:
            pool = self._make(settings_of(address, self.slots.home, self._settings))
            found = self.known.setdefault(address, _Server(pool))
        return found

    def note(self, address: Address, *, is_answered: bool) -> None:
        """Take in what became of a round trip."""
        self.get(address).breaker.note(is_answered=is_answered)
        if not is_answered:
            self.slots.lose(address)


class Transport:
    """For threads."""

    def __init__(self, url: str) -> None:
        template = _template(url, redis.ConnectionPool, Retry(NoBackoff(), 0))
        self._servers = _Servers(
            template.connection_kwargs,
            lambda settings: Connections(
                lambda: cast("Connection", template.connection_class(**settings)), MAX_CONNECTIONS, TIMEOUT_S
            ),
        )

    def close(self) -> None:
        """Close all connections."""
        for server in self._servers.known.values():
            server.pool.close()

    def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply per command: in one round trip, but for what a Redis Cluster has moved."""
        slots = self._servers.slots
        if not slots.is_cluster:
            replies = self._receive(slots.home, self._send(slots.home, commands), commands)
            if not slots.is_redirected(replies):
                return replies
        return hold(slots.follow(commands), partial(self._ask, time.monotonic() + TIMEOUT_S))

    def _ask(self, until_s: float, questions: Questions) -> Answers:
        """Send to all before reading of any; once one was too late, none of the others is waited for."""
        sent: dict[Address, Connection | None] = {}
        answers: Answers = {}
        try:
            for address, commands in questions.items():
                sent[address] = self._send(address, commands) if time.monotonic() < until_s else None
            answered_by_s = time.monotonic() + TIMEOUT_S  # connecting has taken its own time
            while sent:
                address = next(iter(sent))
                connection = sent.pop(address)
                if connection and time.monotonic() >= answered_by_s and not _has_answered(connection):
                    self._give_up(address, connection)
                    connection = None
                answers[address] = self._receive(address, connection, questions[address])
        finally:
            for address, connection in sent.items():
                if connection:  # interrupted
                    self._give_up(address, connection)
        return answers

    def _send(self, address: Address, commands: Sequence[Command]) -> Connection | None:
        """Send to one server, and return the connection by which the replies come, if any will."""
        server = self._server(address)
        if server is None or not server.breaker.allows() or (connection := server.pool.take()) is None:
            return None
        is_sent, began_s = False, time.monotonic()
        try:
            error = send(connection, commands)
            if isinstance(error, redis.ConnectionError) and time.monotonic() < began_s + TIMEOUT_S:
                # it was idle, and the server has closed it
                error = send(connection, commands)
            is_sent = error is None
        finally:
            if not is_sent:
                server.pool.drop(connection)
        if is_sent:
            return connection
        self._servers.note(address, is_answered=False)
        return None

    def _receive(self, address: Address, connection: Connection | None, commands: Sequence[Command]) -> list[Reply]:
        if connection is None:
            return [_NOT_ASKED] * len(commands)
        pool, is_read = self._servers.get(address).pool, False
        try:
            until_s = time.monotonic() + 2 * TIMEOUT_S
            replies = receive(connection, len(commands), until_s)
            if isinstance(replies[-1], redis.ConnectionError) and send(connection, commands) is None:  # as above
                replies = receive(connection, len(commands), until_s)
            is_read = not is_lost(replies[-1])
        finally:  # interrupted, say by a signal's handler, it may have replies left that belong to nobody
            pool.give(connection) if is_read else pool.drop(connection)
        self._servers.note(address, is_answered=is_read)
        return replies

    def _server(self, address: Address) -> _Server[Connections] | None:
        """Return a server, or None if it cannot be asked by a URL like ours."""
        try:
            return self._servers.get(address)
        except ConfigurationError:
            return None

    def _give_up(self, address: Address, connection: Connection) -> None:
        self._servers.get(address).pool.drop(connection)
        self._servers.note(address, is_answered=False)


def _has_answered(connection: Connection) -> bool:
    try:
        return connection.can_read(0)
    except TROUBLE:
        return False


class AsyncTransport:
    """For the tasks of one loop of asyncio."""

    def __init__(self, url: str) -> None:
        template = _template(url, redis.asyncio.ConnectionPool, AsyncRetry(NoBackoff(), 0))
        self._servers = _Servers(
            template.connection_kwargs,
            lambda settings: redis.asyncio.BlockingConnectionPool(
                MAX_CONNECTIONS, TIMEOUT_S, connection_class=template.connection_class, **settings
            ),
        )

    async def close(self) -> None:
        """Close all connections."""
        for server in self._servers.known.values():
            await server.pool.disconnect()

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply per command: in one round trip, but for what a Redis Cluster has moved."""
        until_s = time.monotonic() + TIMEOUT_S
        try:
            async with asyncio.timeout(LONGEST_S):
                return await hold_async(self._servers.slots.follow(commands), partial(self._ask, until_s))
        except TimeoutError:
            return [_NOT_ASKED] * len(commands)

    async def _ask(self, until_s: float, questions: Questions) -> Answers:
        if time.monotonic() >= until_s:
            return {server: [_NOT_ASKED] * len(commands) for server, commands in questions.items()}
        if len(questions) == 1:
            return {server: await self._ask_server(server, commands) for server, commands in questions.items()}
        replies = await asyncio.gather(*[self._ask_server(*question) for question in questions.items()])
        return dict(zip(questions, replies, strict=True))

    async def _ask_server(self, address: Address, commands: Sequence[Command]) -> list[Reply]:
        try:
            server = self._servers.get(address)
        except ConfigurationError:
            return [_NOT_ASKED] * len(commands)
        if not server.breaker.allows():
            return [_NOT_ASKED] * len(commands)
        began_s = time.monotonic()
        replies = await _try(server.pool, commands)
        if isinstance(replies[-1], redis.ConnectionError) and time.monotonic() < began_s + TIMEOUT_S:
            # it was idle, and the server has closed it
            replies = await _try(server.pool, commands)
        self._servers.note(address, is_answered=not is_lost(replies[-1]))
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
            if len(replies) < len(commands):  # those that still come are nobody's
                await connection.disconnect(nowait=True)
            await pool.release(connection)
    except TROUBLE as error:
        replies += [as_lost(error)] * (len(commands) - len(replies))
    return replies


def _template(url: str, kind: type[_TemplateKind], never_again: Retry | AsyncRetry) -> _TemplateKind:
    ours: dict[str, Any] = {
        "protocol": 2,  # no HELLO: a user's rights need not cover it
        "decode_responses": False,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "retry": never_again,
    }
    try:
        pool = kind.from_url(url, **ours)
        if pool.connection_kwargs["protocol"] != 2 or pool.connection_kwargs["decode_responses"]:
            raise ValueError(url)
        pool.connection_kwargs.update(ours)  # the waits are not the URL's to say
        pool.connection_class(**pool.connection_kwargs)  # does not connect yet
    except (ValueError, TypeError, redis.RedisError):
        # The URL may hold a password: it is not repeated, nor is what redis-py says of it.
        raise ConfigurationError(
            ["Redis URL: redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH, and redis-py's options for connections"]
        ) from None
    return pool
