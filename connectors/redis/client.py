"""Commands to Redis for one thread: every reply is looked at, and what failed in passing is sent again."""

import random
import re
import time
from collections.abc import Callable, Hashable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AskError, MovedError
from redis.retry import Retry

from state.errors import SinkError
from tacit.errors import ConfigurationError
from tacit.reader.cluster_map import CLUSTER_SLOTS, Address, ClusterMap, Replies, Requests, home_of, settings_of
from tacit.reader.pipeline import Connection, is_lost, receive, send
from tacit.reader.round_trips import Command, Reply, run

OnRetry = Callable[[int, set[str]], object]

TIMEOUT_S = 5.0
RETRY_FOR_S = 45.0
UNWRITABLE = frozenset({"BADEPOCH", "BADGATE", "BADVERSION", "WRONGTYPE"})
"""Codes that sending again cannot mend, and that concern one command alone."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
_PASSING = frozenset(
    {
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "CONNECTION",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOREPLICAS",
        "NOSCRIPT",
        "OOM",
        "READONLY",
        "TIMEOUT",
        "TRYAGAIN",
    }
)
_CODE_OF_CLASS: tuple[tuple[type[redis.RedisError], str], ...] = (
    (redis.AuthenticationError, "AUTH"),
    (redis.BusyLoadingError, "LOADING"),
    (redis.ConnectionError, "CONNECTION"),
    (redis.TimeoutError, "TIMEOUT"),
    (redis.OutOfMemoryError, "OOM"),
    (redis.ReadOnlyError, "READONLY"),
    (redis.exceptions.NoScriptError, "NOSCRIPT"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.exceptions.MasterDownError, "MASTERDOWN"),
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN"),
    (redis.exceptions.TryAgainError, "TRYAGAIN"),
    (MovedError, "MOVED"),
    (AskError, "ASK"),
)

# "WRONGTYPE Operation against …"; Redis 6.2 wraps what a script's command was refused with:
# "Error running script (call to f_…): @user_script:9: @user_script: 9: -OOM command not allowed …".
_CODE = re.compile(r"(?:^|@user_script: ?\d+: -?)([A-Z]{3,})\b")


def error_code(error: redis.RedisError) -> str:
    """Return the code of an error, in capitals; the text beside it can hold keys and values and is not for logs.

    >>> error_code(redis.ResponseError("BADEPOCH the epoch is ..."))
    'BADEPOCH'
    >>> error_code(redis.ResponseError("Error running script (call to f_1): @user_script:9: -OOM command not allowed"))
    'OOM'
    >>> error_code(redis.TimeoutError("Timeout reading from socket"))
    'TIMEOUT'
    """
    for kind, code in _CODE_OF_CLASS:
        if isinstance(error, kind):
            return code
    found = _CODE.search(str(error))
    return found[1] if found else "ERR"


class Script:
    """A Lua script: sent whole where a pipeline first uses it, by its hash from there on.

    A pipeline then works in one round trip on a server that has just started, and needs no loading of scripts.
    """

    def __init__(self, file: Path) -> None:
        body = file.read_bytes()
        self._whole = (b"EVAL", body)
        self.by_hash = (b"EVALSHA", sha1(body, usedforsecurity=False).hexdigest().encode())

    def put_into_first_use(self, commands: list[Command]) -> None:
        """Put the script itself into the first command that is by its hash."""
        for place, command in enumerate(commands):
            if command[:2] == self.by_hash:
                commands[place] = (*self._whole, *command[2:])
                return


class RedisClient:
    """For one thread; connects to a server when it is first asked, and again after the connection broke.

    Args:
        url: `redis://`, `rediss://` (TLS, verified) or `unix://`; of a Redis Cluster any of its servers.
        scripts: what commands may call by hash, whether or not the server has it.
        retry_for_s: how long what fails in passing is tried again before `SinkError`.
        on_retry: called with the number of commands that are sent again, and the codes of what they met.
    """

    def __init__(
        self,
        url: str,
        *,
        scripts: Sequence[Script] = (),
        retry_for_s: float = RETRY_FOR_S,
        on_retry: OnRetry = lambda *_: None,
    ) -> None:
        self._scripts = scripts
        self._retry_for_s = retry_for_s
        self._on_retry = on_retry
        self._pool = connection_pool(url, timeout_s=TIMEOUT_S)
        self.home = home_of(self._pool.connection_kwargs)
        """The URL's server."""
        self._slots = ClusterMap(self.home)
        self._connections: dict[Address, Connection] = {}

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.disconnect()

    def servers(self) -> list[Address]:
        """Return who holds anything: all primaries of a Redis Cluster, or the one server that there is.

        Raises:
            SinkError: as `ask`; the user may not ask for this.
        """
        self.ask(("PING",), self.home)
        [reply] = self.attempt([CLUSTER_SLOTS], self.home)
        if isinstance(reply, redis.exceptions.NoPermissionError):
            raise SinkError(f"Redis refuses CLUSTER SLOTS: {error_code(reply)}; see connectors/redis/users.acl")
        self._slots.update(reply, self.home)
        return self._slots.servers

    def ask(self, command: Command, server: Address | None = None) -> Reply:
        """Return the reply to one command, which must bear repeating; SinkError, as `deliver`, for any error.

        Args:
            command: the server that holds its first key is asked,
            server: unless this one is.
        """
        [reply] = self.deliver([command], [None], server)
        if isinstance(reply, redis.RedisError):
            raise SinkError(f"Redis refuses {command[0]!r} on {command[1]!r}: {error_code(reply)}")
        return reply

    def deliver(
        self, commands: Sequence[Command], owners: Sequence[Hashable], server: Address | None = None
    ) -> list[Reply]:
        """Send commands in one pipeline until each has a reply that stands.

        What failed in passing is sent again, with all that the same owner sent after it: so an owner's commands take
        effect in their order. Every command must therefore bear repeating.

        Returns:
            A reply per command; one that is an error has a code in `UNWRITABLE`.

        Raises:
            SinkError: Redis refused for a reason that does not pass, or did not answer in time.
        """
        replies: list[Reply] = [None] * len(commands)
        pending = list(range(len(commands)))
        deadline_s = time.monotonic() + self._retry_for_s
        pause_s = _FIRST_PAUSE_S
        while True:
            for place, reply in zip(pending, self.attempt([commands[i] for i in pending], server), strict=True):
                replies[place] = reply
            codes = {i: error_code(reply) for i in pending if isinstance(reply := replies[i], redis.RedisError)}
            if not codes:
                return replies
            pending = self._to_repeat(pending, codes, owners)
            if not pending:
                return replies
            passing = set(codes.values()) - UNWRITABLE
            self._on_retry(len(pending), passing)
            pause_s = self._pause(pause_s, deadline_s, passing)

    def attempt(self, commands: Sequence[Command], server: Address | None = None) -> list[Reply]:
        """Send commands once, and return a reply per command, whatever it is."""
        if server is not None:
            return self._ask_servers({server: list(commands)})[server]
        return run(self._slots.follow(commands), self._ask_servers)

    def _ask_servers(self, requests: Requests) -> Replies:
        """Send to all before reading of any: in a cluster they work at the same time."""
        trouble: dict[Address, redis.RedisError | None] = {}
        for server, commands in requests.items():
            for script in self._scripts:  # of every try: the server that answers now may be another one
                script.put_into_first_use(commands)
            trouble[server] = send(self._connection(server), commands)
        answers: Replies = {}
        for server, commands in requests.items():
            error = trouble[server]
            answers[server] = [error] * len(commands) if error else receive(self._connection(server), len(commands))
            if is_lost(answers[server][-1]):
                self._connections.pop(server).disconnect()
                self._slots.lose(server)
        return answers

    def _connection(self, server: Address) -> Connection:
        if server not in self._connections:
            settings = settings_of(server, self.home, self._pool.connection_kwargs)
            self._connections[server] = cast("Connection", self._pool.connection_class(**settings))
        return self._connections[server]

    def _to_repeat(self, sent: list[int], codes: dict[int, str], owners: Sequence[Hashable]) -> list[int]:
        if final := sorted(set(codes.values()) - _PASSING - UNWRITABLE):
            raise SinkError(
                f"Redis refuses writes: {', '.join(final)}; check the URL, its user's rights (connectors/redis/users.acl) "
                "and the server's log"
            )
        repeat, behind = [], set()
        for i in sent:
            if codes.get(i) in _PASSING or owners[i] in behind:
                repeat.append(i)
                behind.add(owners[i])
        return repeat

    def _pause(self, pause_s: float, deadline_s: float, codes: set[str]) -> float:
        """Wait with full jitter, and return the next pause; SinkError if the time is up.

        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if "READONLY" in codes:
            self.close()  # a failover: the name of the primary leads elsewhere by now
        wait_s = random.uniform(0, pause_s)
        if time.monotonic() + wait_s > deadline_s:
            raise SinkError(
                f"Redis did not take writes for {self._retry_for_s:g} s: {', '.join(sorted(codes))}; "
                "mend it and start again: nothing is lost, the run resumes from its last checkpoint"
            )
        time.sleep(wait_s)
        return min(2 * pause_s, _LONGEST_PAUSE_S)


def connection_pool(url: str, *, timeout_s: float) -> redis.ConnectionPool:
    """Return a pool for `url` that never retries by itself: repeating is decided where replies are looked at."""
    try:
        return redis.ConnectionPool.from_url(
            url,
            protocol=2,  # no HELLO: a user's rights need not cover it
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigurationError(["Redis URL: it must begin with redis://, rediss:// or unix://"]) from error
