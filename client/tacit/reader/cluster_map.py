"""Servers of keys: the URL's server, or, once that server redirects, all servers of its Redis Cluster.

https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding

redis-py's `RedisCluster` does not fit: its pipelines reject EVALSHA, and one call may try every server in turn with a
timeout each. Pools, connections and hash slot numbers are redis-py's.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError

from tacit.errors import ConfigurationError
from tacit.reader.round_trips import Command, Reply, RoundTrips

MAX_REDIRECTS = 5
"""Redirects after which the redirect itself is the reply: servers that disagree need time."""

MAP_COMMAND: Command = ("CLUSTER", "SLOTS")

_ASKING: Command = ("ASKING",)
_SCRIPTS = frozenset({b"EVAL", b"EVALSHA", "EVAL", "EVALSHA"})


class Address(NamedTuple):
    """Host and port of a server; for a Unix socket, its path and port 0."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


Requests = dict[Address, list[Command]]
Replies = dict[Address, list[Reply]]


_Queue = list[tuple[int, Command]]
"""Commands for one server, each with the index of its reply, or `_NO_INDEX`."""
_NO_INDEX = -1


class ClusterMap:
    """Map of hash slots to servers, built from replies; safe for threads.

    Args:
        home: the URL's server, which holds all keys until it redirects.
    """

    def __init__(self, home: Address) -> None:
        self.home = home
        self._holders: list[Address] = []
        """Server per hash slot; empty without a cluster, and until the first redirect."""
        self._members = [home]
        """All servers that know the map, replicas included."""

    @property
    def is_cluster(self) -> bool:
        """True once a server has redirected a command."""
        return bool(self._holders)

    @property
    def servers(self) -> list[Address]:
        """Servers that hold keys, in order."""
        return sorted({*self._holders} or {self.home})

    def follow(self, commands: Sequence[Command]) -> RoundTrips[Requests, Replies, list[Reply]]:
        """Yield the commands of each server, follow redirects, and return a reply per command."""
        replies: list[Reply] = [None] * len(commands)
        queues = self._by_server(commands) if self._holders else {self.home: list(enumerate(commands))}
        for _ in range(MAX_REDIRECTS + 1):
            received = yield {server: [command for _, command in queue] for server, queue in queues.items()}
            redirected: dict[Address, _Queue] = {}
            for server, queue in queues.items():
                for (index, command), reply in zip(queue, received[server], strict=True):
                    if index != _NO_INDEX:
                        replies[index] = reply
                        if isinstance(reply, ClusterDownError):  # the server may have left, or lost the majority
                            self.lose(server)
                        elif isinstance(reply, AskError):
                            self._redirect((index, command), reply, server, redirected)
                    elif command is MAP_COMMAND:
                        self.update(reply, server)
            if not redirected:
                break
            queues = redirected
        return replies

    @staticmethod
    def is_redirected(replies: Sequence[Reply]) -> bool:
        """Return whether any reply is a redirect."""
        for reply in replies:  # noqa: SIM110  a generator costs four times this loop
            if isinstance(reply, AskError):
                return True
        return False

    def update(self, reply: Reply, server: Address) -> None:
        """Update the map from a server's reply to CLUSTER SLOTS; an error or an invalid reply changes nothing."""
        holders = list(self._holders) or [self.home] * REDIS_CLUSTER_HASH_SLOTS
        members = set[Address]()
        try:
            for first, last, *nodes in cast("list[list[Any]]", reply):
                found = [Address((host or b"").decode() or server.host, int(port)) for host, port, *_ in nodes]
                holders[first : last + 1] = [found[0]] * (last + 1 - first)
                members.update(found)
        except (TypeError, ValueError, IndexError, AttributeError):
            return
        if members and len(holders) == REDIS_CLUSTER_HASH_SLOTS:
            self._holders, self._members = holders, sorted(members)

    def lose(self, server: Address) -> None:
        """Assign the hash slots of a lost server to another one, which redirects to the new holder."""
        others = [other for other in self._members if other != server] or [self.home]
        if self._holders:
            other = random.choice(others)
            self._holders = [other if holder == server else holder for holder in self._holders]

    def _by_server(self, commands: Sequence[Command]) -> dict[Address, _Queue]:
        queues: dict[Address, _Queue] = {}
        for index, command in enumerate(commands):
            queues.setdefault(self._holders[key_slot(_key(command))], []).append((index, command))
        return queues

    def _redirect(
        self, sent: tuple[int, Command], error: AskError, server: Address, redirected: dict[Address, _Queue]
    ) -> None:
        """Queue a command for the server of a redirect; after MOVED, also fetch the map from the redirecting server."""
        target = Address(error.host or server.host, error.port)
        if isinstance(error, MovedError):
            if not any(command is MAP_COMMAND for _, command in redirected.setdefault(server, [])):
                redirected[server].append((_NO_INDEX, MAP_COMMAND))
            if error.slot_id < len(self._holders):
                self._holders[error.slot_id] = target
        else:
            redirected.setdefault(target, []).append((_NO_INDEX, _ASKING))
        redirected.setdefault(target, []).append(sent)


def _key(command: Command) -> bytes:
    """Return the first key of a command."""
    key = command[3] if command[0] in _SCRIPTS else command[1]
    return key if isinstance(key, bytes) else str(key).encode()


def home_of(settings: Mapping[str, Any]) -> Address:
    """Return the server in a pool's settings, or redis-py's default.

    >>> home_of({"host": "redis.internal"})
    Address(host='redis.internal', port=6379)
    """
    if "path" in settings:
        return Address(settings["path"], 0)
    return Address(settings.get("host", "localhost"), settings.get("port", 6379))


def settings_of(server: Address, home: Address, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pool's settings for another server of the same cluster.

    Raises:
        ConfigurationError: the URL's server has a Unix socket, and the other servers have not.
    """
    if server == home:
        return {**settings}
    if "path" in settings:
        raise ConfigurationError(["Redis URL: for a Redis Cluster, redis:// or rediss:// is allowed, not unix://"])
    return {**settings, "host": server.host, "port": server.port}
