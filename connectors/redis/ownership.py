"""Owner of a namespace in Redis: the state folder behind its signals, and the live run that writes them.

An empty state folder and a second live run would harm the signals without an error, so a run compares at its start.
"""

from pathlib import Path
from typing import NamedTuple, cast

from connectors.redis.client import RedisClient
from connectors.redis.fillings import Fillings
from connectors.redis.region_secret import RegionSecret
from connectors.redis.script import Script
from tacit.contract.keys import NamespaceKeys, RegionKeys

LEASE_MS = 30_000
RENEW_MS = 5_000
"""Time between two renewals of a lease."""

_SCRIPTS = Path(__file__).with_name("scripts")
_HOLD = Script(_SCRIPTS / "hold_namespace.lua")
_RELEASE = Script(_SCRIPTS / "release_namespace.lua")
OWNERSHIP_SCRIPTS = (_HOLD, _RELEASE)
"""Scripts of a client for `Ownership`."""


class Owner(NamedTuple):
    """Stored owner of a namespace."""

    state: str | None
    """Id of the state folder that the signals come from; empty for a run without a folder, None if unknown."""
    run: bytes
    """Live run, as JSON; empty without one."""
    left_ms: int
    """Rest of the run's lease; 0: the lease has ended."""
    taken_ms: int = 0
    """Time of the last take, by the clock of Redis; 0: no live run has taken the namespace."""


class Held(NamedTuple):
    """Answer to a run that takes or renews a lease."""

    other: bytes = b""
    """Another run that holds the namespace, as JSON; empty: this run holds the namespace."""
    left_ms: int = 0
    """Rest of the other run's lease."""
    until_ms: int = 0
    """End of the lease as stored before; 0: nothing was stored."""
    taken_ms: int = 0
    """Time of the holder's take by the clock of Redis, later than that of each earlier take; 0: not known."""


class Names(NamedTuple):
    """Names of the region that no other writer puts back."""

    namespaces: frozenset[str] = frozenset()
    active: str | None = None


class NamespaceOwner:
    """Keys about the owner of one namespace. All methods raise SinkError as `RedisClient.deliver`.

    Args:
        client: client with `OWNERSHIP_SCRIPTS`.
        keys: keys of the region.
        namespace: name of the namespace.
    """

    def __init__(self, client: RedisClient, keys: RegionKeys, namespace: str) -> None:
        self._client = client
        self._region = keys
        self._keys: NamespaceKeys = keys.within(namespace)
        self.secret = RegionSecret(client, keys)
        """Secret of the region."""
        self.fillings = Fillings(client, self._keys)
        """Fillings of the namespace from history."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ping(self) -> None:
        """Return if Redis answers."""
        self._client.execute(("PING",), self._client.home)

    def instances(self) -> frozenset[str]:
        """Return the run ids of the servers that hold keys: a server has another one after each start.

        A server that does not answer is left out, and so is one whose provider hides the id.
        """
        replies = self._client.ask_each(("INFO", "server"), self._client.servers())
        lines = [line for reply in replies if isinstance(reply, bytes) for line in reply.decode().splitlines()]
        return frozenset(line.partition(":")[2] for line in lines if line.startswith("run_id:"))

    def read(self) -> Owner:
        """Return the stored owner."""
        state, run, until_ms, taken_ms = self._texts("HMGET", self._keys.owner, "state", "run", "until_ms", "taken_ms")
        seconds, microseconds = cast("list[bytes]", self._client.execute(("TIME",), self._client.home))
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        left_ms = max(0, int(until_ms or 0) - now_ms) if run else 0
        return Owner(None if state is None else state.decode(), run or b"", left_ms, int(taken_ms or 0))

    def claim(self, state: str) -> None:
        """Store the state folder that the signals come from."""
        self._client.execute(("HSET", self._keys.owner, "state", state))

    def take(self, run: bytes, state: str, instead_of: bytes = b"") -> Held:
        """Take the lease for a run.

        Args:
            run: the run, as JSON.
            state: id of its state folder; empty for none.
            instead_of: a run that has ended without a release of its lease.
        """
        return self._hold(run, "take", instead_of, state)

    def renew(self, run: bytes, state: str) -> Held:
        """Extend the lease of a run by `LEASE_MS` once `RENEW_MS` of it have passed."""
        return self._hold(run, "renew", b"", state)

    def release(self, run: bytes) -> None:
        """End the lease of a run."""
        self._client.execute((*_RELEASE.by_hash, 1, self._keys.owner, run))

    def begin_restoration(self) -> None:
        """Note that signals are missing until `end_restoration`, also where this run ends before."""
        self._client.execute(("HSET", self._keys.owner, "restoring", "1"))

    def end_restoration(self) -> None:
        """Note that the signals of all users are in Redis again."""
        self._client.execute(("HDEL", self._keys.owner, "restoring"))

    @property
    def is_restoring(self) -> bool:
        """True if a restoration has not ended."""
        return self._client.execute(("HGET", self._keys.owner, "restoring")) is not None

    def _hold(self, run: bytes, how: str, instead_of: bytes, state: str) -> Held:
        command = (*_HOLD.by_hash, 1, self._keys.owner, run, how, instead_of, LEASE_MS, LEASE_MS - RENEW_MS, state)
        is_held, time_ms, taken_ms, *other = cast("list[int | bytes]", self._client.execute(command))
        if is_held:
            return Held(until_ms=int(time_ms), taken_ms=int(taken_ms))
        return Held(cast("bytes", other[0]), int(time_ms), taken_ms=int(taken_ms))

    # Keys of the region

    def namespaces(self) -> frozenset[str]:
        """Return the namespaces of all writers of the region."""
        return frozenset(name.decode() for name in self._members(self._region.namespaces))

    def names(self) -> Names:
        """Return the namespaces, and the active one."""
        return Names(self.namespaces(), self.active())

    def register(self, namespaces: frozenset[str]) -> None:
        """Register namespaces of writers."""
        if namespaces:
            self._client.execute(("SADD", self._region.namespaces, *sorted(namespaces)))

    def active(self) -> str | None:
        """Return the active namespace; None: none is stored."""
        found = cast("bytes | None", self._client.execute(("GET", self._region.active)))
        return None if found is None else found.decode("utf-8", "replace")

    def keep_active(self, namespace: str) -> None:
        """Store the active namespace if none is stored."""
        self._client.execute(("SET", self._region.active, namespace, "NX"))

    # Contents

    def contents(self) -> dict[str, int]:
        """Return counts that show what a namespace holds, without a look at each key."""
        number = cast("bytes | None", self._client.execute(("GET", self._keys.population)))
        keys = 0
        for server in self._client.servers():
            info = cast("bytes", self._client.execute(("INFO", "keyspace"), server)).decode()
            keys += sum(int(part) for line in info.splitlines() for part in _keys_of(line))
        return {"redis_keys": keys, "population_version": int(number) if number and number.isdigit() else 0}

    def _members(self, key: str) -> list[bytes]:
        return cast("list[bytes]", self._client.execute(("SMEMBERS", key)))

    def _texts(self, *command: str) -> list[bytes | None]:
        return cast("list[bytes | None]", self._client.execute(command))


def _keys_of(line: str) -> list[str]:
    """Return the number of keys in a line such as `db0:keys=3,expires=0,avg_ttl=0`; none in another line."""
    name, _, fields = line.partition(":")
    return [fields.partition("=")[2].partition(",")[0]] if name.startswith("db") and fields.startswith("keys=") else []
