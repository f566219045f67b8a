"""Client of Redis for one thread: checks every reply, and retries commands after a transient error."""

import random
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectors.redis.error_codes import TRANSIENT, UNANSWERED, UNWRITABLE, error_code, meaning_of
from connectors.redis.script import Script
from state.errors import SinkError
from tacit.reader.cluster_map import MAP_COMMAND, Address, ClusterMap, Replies, Requests, home_of, settings_of
from tacit.reader.pipeline import Connection, is_lost, receive, send
from tacit.reader.redis_url import pool_of
from tacit.reader.round_trips import Command, Reply, run

OnRetry = Callable[[int, set[str]], object]

TIMEOUT_S = 5.0
RETRY_FOR_S = 45.0
COMMAND_RETRY_FOR_S = 5.0
"""Time of retries of a command, for which an operator waits."""

_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 2.0
_ADVICE = "check the URL, the rights of its user (connectors/redis/users.acl) and the server's log"


class RedisClient:
    """Client for one thread; connects at the first command, and again after the connection broke.

    Args:
        url: `redis://`, `rediss://` (TLS, verified) or `unix://`; for a Redis Cluster, any of its servers.
        scripts: scripts that commands call by hash.
        retry_for_s: seconds of retries after a transient error; then `SinkError`.
        on_retry: callback with the number of commands to retry, and their error codes.
        advice: end of the text of `SinkError`, such as how to continue.
    """

    def __init__(
        self,
        url: str,
        *,
        scripts: Sequence[Script] = (),
        retry_for_s: float = RETRY_FOR_S,
        on_retry: OnRetry = lambda *_: None,
        advice: str = "",
    ) -> None:
        self._scripts = scripts
        self._retry_for_s = retry_for_s
        self._on_retry = on_retry
        self._advice = f"; {advice}" if advice else ""
        self._pool = connection_pool(url, timeout_s=TIMEOUT_S)
        self.home = home_of(self._pool.connection_kwargs)
        """The URL's server."""
        self._map = ClusterMap(self.home)
        self._connections: dict[Address, Connection] = {}

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.disconnect()

    def servers(self) -> list[Address]:
        """Return all servers that hold keys: the primaries of a Redis Cluster, or the URL's server.

        Raises:
            SinkError: as `deliver`; or the user lacks the right to CLUSTER SLOTS.
        """
        self.execute(("PING",), self.home)
        [reply] = self.send_once([MAP_COMMAND], self.home)
        if isinstance(reply, redis.exceptions.NoPermissionError):
            raise SinkError(
                f"Redis at {self.home} rejects CLUSTER SLOTS: {error_code(reply)}; see connectors/redis/users.acl"
            )
        self._map.update(reply, self.home)
        return self._map.servers

    def ask_each(self, command: Command, servers: Sequence[Address]) -> list[Reply]:
        """Send a command to each server once, and return a reply or an error per server."""
        replies = self._send({server: [command] for server in servers})
        return [replies[server][0] for server in servers]

    def execute(self, command: Command, server: Address | None = None) -> Reply:
        """Return the reply to one idempotent command.

        Args:
            command: the command.
            server: its receiver; None: the server of the command's first key.

        Raises:
            SinkError: as `deliver`, and for every other error.
        """
        [reply] = self.deliver([command], [None], server)
        if isinstance(reply, redis.RedisError):
            raise SinkError(f"Redis at {self.home} rejects {command[0]!r} on {command[1]!r}: {error_code(reply)}")
        return reply

    def scan(self, pattern: str, server: Address) -> Iterator[bytes]:
        """Yield the keys of one server that match a pattern; a key may come twice. Errors as in `execute`."""
        cursor = b"0"
        while True:
            reply = self.execute(("SCAN", cursor, "MATCH", pattern, "COUNT", 1000), server)
            cursor, keys = cast("tuple[bytes, list[bytes]]", reply)
            yield from keys
            if cursor == b"0":
                return

    def deliver(
        self, commands: Sequence[Command], owners: Sequence[Hashable], server: Address | None = None
    ) -> list[Reply]:
        """Send idempotent commands in one pipeline, and retry until each has a final reply.

        A retry includes all later commands of the same owner, so that an owner's commands take effect in order.

        Args:
            commands: the commands.
            owners: an owner per command.
            server: the receiver; None: the server of each command's first key.

        Returns:
            A reply per command; an error has a code in `UNWRITABLE`.

        Raises:
            SinkError: another error of a command, or transient errors for longer than `retry_for_s`.
        """
        replies: list[Reply] = [None] * len(commands)
        pending = list(range(len(commands)))
        deadline_s = time.monotonic() + self._retry_for_s
        pause_s = _FIRST_PAUSE_S
        while True:
            for i, reply in zip(pending, self.send_once([commands[i] for i in pending], server), strict=True):
                replies[i] = reply
            codes = {i: error_code(reply) for i in pending if isinstance(reply := replies[i], redis.RedisError)}
            if not codes:
                return replies
            pending = self._to_repeat(pending, codes, owners)
            if not pending:
                return replies
            transient = set(codes.values()) - UNWRITABLE
            self._on_retry(len(pending), transient)
            pause_s = self._pause(pause_s, deadline_s, transient)

    def send_once(self, commands: Sequence[Command], server: Address | None = None) -> list[Reply]:
        """Send commands without a retry, and return a reply or an error per command."""
        if not commands:
            return []
        if server is not None:
            return self._send({server: list(commands)})[server]
        return run(self._map.follow(commands), self._send)

    def _send(self, requests: Requests) -> Replies:
        """Send to all servers before reading, so that the servers of a cluster work at the same time."""
        errors: dict[Address, redis.RedisError | None] = {}
        for server, commands in requests.items():
            for script in self._scripts:  # in every attempt: another server may answer now
                script.put_into_first_use(commands)
            errors[server] = send(self._connection(server), commands)
        replies: Replies = {}
        for server, commands in requests.items():
            error = errors[server]
            replies[server] = [error] * len(commands) if error else receive(self._connection(server), len(commands))
            if is_lost(replies[server][-1]):
                self._connections.pop(server).disconnect()
                self._map.lose(server)
        return replies

    def _connection(self, server: Address) -> Connection:
        if server not in self._connections:
            settings = settings_of(server, self.home, self._pool.connection_kwargs)
            self._connections[server] = cast("Connection", self._pool.connection_class(**settings))
        return self._connections[server]

    def _to_repeat(self, sent: list[int], codes: dict[int, str], owners: Sequence[Hashable]) -> list[int]:
        if final := sorted(set(codes.values()) - TRANSIENT - UNWRITABLE):
            raise SinkError(f"Redis at {self.home} rejects commands: {', '.join(final)}; {_ADVICE}{self._advice}")
        repeat, waiting_owners = [], set()
        for i in sent:
            if codes.get(i) in TRANSIENT or owners[i] in waiting_owners:
                repeat.append(i)
                waiting_owners.add(owners[i])
        return repeat

    def _pause(self, pause_s: float, deadline_s: float, codes: set[str]) -> float:
        """Wait with full jitter, and return the next pause; raise SinkError after the deadline.

        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if "READONLY" in codes:
            self.close()  # after a failover, the primary's name has another address
        wait_s = random.uniform(0, pause_s)
        if time.monotonic() + wait_s > deadline_s:
            raise SinkError(self._out_of_time(codes))
        time.sleep(wait_s)
        return min(2 * pause_s, _MAX_PAUSE_S)

    def _out_of_time(self, codes: set[str]) -> str:
        failure = "did not answer" if codes <= UNANSWERED else "did not accept commands"
        within = f" within {self._retry_for_s:g} s" if self._retry_for_s else ""
        names = ", ".join(map(meaning_of, sorted(codes)))
        return (
            f"Redis at {self.home} {failure}{within}: {names}; check the URL, the network and the server{self._advice}"
        )


def connection_pool(url: str, *, timeout_s: float) -> redis.ConnectionPool:
    """Return a pool without retries of its own, as `RedisClient` decides on retries."""
    return pool_of(
        url,
        redis.ConnectionPool,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )
