"""Which server holds a key: the URL's own, or, as soon as it says that it is one of a Redis Cluster, any of these.

https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding

redis-py's `RedisCluster` is not used: its pipelines refuse EVALSHA, and a call may try every server in turn with a
timeout each, which readers cannot afford. Pools, connections and slot numbers are redis-py's.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError

from tacit.errors import ConfigurationError
from tacit.reader.dialogue import Command, Dialogue, Reply

MAX_REDIRECTS = 5
"""After so many the redirect stands as the reply: servers that do not agree are waited for by whoever can wait."""

CLUSTER_SLOTS: Command = ("CLUSTER", "SLOTS")

_ASKING: Command = ("ASKING",)
_SCRIPTS = frozenset({b"EVAL", b"EVALSHA", "EVAL", "EVALSHA"})


class Address(NamedTuple):
    """Where a server listens; of a Unix socket its path, and no port."""

    host: str
    port: int


Questions = dict[Address, list[Command]]
Answers = dict[Address, list[Reply]]


_Queue = list[tuple[int, Command]]
"""Commands on their way to one server, each with the place of its reply, or `_NOBODYS`."""
_NOBODYS = -1


class ClusterMap:
    """Slot → server, as far as servers have said; for any number of threads.

    Args:
        home: the URL's server, which holds everything until it says otherwise.
    """

    def __init__(self, home: Address) -> None:
        self.home = home
        self._servers: list[Address] = []
        """One per slot; none: this is no cluster, or nobody has been asked yet."""
        self._known = [home]
        """Who can be asked who holds a slot: replicas, too."""

    @property
    def is_cluster(self) -> bool:
        """Whether a server has ever said so."""
        return bool(self._servers)

    @property
    def servers(self) -> list[Address]:
        """The servers that hold something, in order."""
        return sorted({*self._servers} or {self.home})

    def follow(self, commands: Sequence[Command]) -> Dialogue[Questions, Answers, list[Reply]]:
        """Ask for what each server holds, go where they say that things have moved, and return a reply per command."""
        replies: list[Reply] = [None] * len(commands)
        queues = self._by_server(commands) if self._servers else {self.home: list(enumerate(commands))}
        for _ in range(MAX_REDIRECTS + 1):
            answers = yield {server: [command for _, command in queue] for server, queue in queues.items()}
            redirected: dict[Address, _Queue] = {}
            for server, queue in queues.items():
                for (place, command), reply in zip(queue, answers[server], strict=True):
                    if place != _NOBODYS:
                        replies[place] = reply
                        if isinstance(reply, ClusterDownError):  # it may have left, or be with a minority
                            self.lose(server)
                        elif isinstance(reply, AskError):
                            self._redirect((place, command), reply, server, redirected)
                    elif command is CLUSTER_SLOTS:
                        self.learn(reply, server)
            if not redirected:
                break
            queues = redirected
        return replies

    @staticmethod
    def is_redirected(replies: Sequence[Reply]) -> bool:
        """Say whether a server names another one in any of these."""
        for reply in replies:  # noqa: SIM110  a generator costs four times this loop
            if isinstance(reply, AskError):
                return True
        return False

    def learn(self, reply: Reply, server: Address) -> None:
        """Take in a server's reply to CLUSTER SLOTS; what is no map, as where rights are missing, says nothing."""
        servers = list(self._servers) or [self.home] * REDIS_CLUSTER_HASH_SLOTS
        known = set[Address]()
        try:
            for first, last, *nodes in cast("list[list[Any]]", reply):
                holders = [Address((host or b"").decode() or server.host, int(port)) for host, port, *_ in nodes]
                servers[first : last + 1] = [holders[0]] * (last + 1 - first)
                known.update(holders)
        except (TypeError, ValueError, IndexError, AttributeError):
            return
        if known and len(servers) == REDIS_CLUSTER_HASH_SLOTS:
            self._servers, self._known = servers, sorted(known)

    def lose(self, server: Address) -> None:
        """Let others be asked for what a server holds that does not answer: they know who has taken its place."""
        others = [other for other in self._known if other != server] or [self.home]
        if self._servers:
            other = random.choice(others)
            self._servers = [other if holder == server else holder for holder in self._servers]

    def _by_server(self, commands: Sequence[Command]) -> dict[Address, _Queue]:
        queues: dict[Address, _Queue] = {}
        for place, command in enumerate(commands):
            queues.setdefault(self._servers[key_slot(_key(command))], []).append((place, command))
        return queues

    def _redirect(
        self, asked: tuple[int, Command], error: AskError, server: Address, redirected: dict[Address, _Queue]
    ) -> None:
        """Queue a command for the server that another one names, which is asked for the whole map as well."""
        there = Address(error.host or server.host, error.port)
        if isinstance(error, MovedError):
            if not any(command is CLUSTER_SLOTS for _, command in redirected.setdefault(server, [])):
                redirected[server].append((_NOBODYS, CLUSTER_SLOTS))
            if error.slot_id < len(self._servers):
                self._servers[error.slot_id] = there
        else:
            redirected.setdefault(there, []).append((_NOBODYS, _ASKING))
        redirected.setdefault(there, []).append(asked)


def _key(command: Command) -> bytes:
    """Return a command's first key, by which it finds its server."""
    key = command[3] if command[0] in _SCRIPTS else command[1]
    return key if isinstance(key, bytes) else str(key).encode()


def home_of(settings: Mapping[str, Any]) -> Address:
    """Return the server that a pool's settings name, or leave to redis-py's defaults.

    >>> home_of({"host": "redis.internal"})
    Address(host='redis.internal', port=6379)
    """
    if "path" in settings:
        return Address(settings["path"], 0)
    return Address(settings.get("host", "localhost"), settings.get("port", 6379))


def settings_of(server: Address, home: Address, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pool's settings for another server of the same cluster.

    Raises:
        ConfigurationError: the URL's server is known by a Unix socket, and the others are not.
    """
    if server == home:
        return {**settings}
    if "path" in settings:
        raise ConfigurationError(["Redis URL: it is a Redis Cluster's: redis:// or rediss://, not unix://"])
    return {**settings, "host": server.host, "port": server.port}
