"""Namespaces of a region for an operator: their differences, and the active one."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, cast

import msgspec

from connectors.redis.client import RedisClient
from tacit.contract.keys import LIVE, RegionKeys, hash_tag
from tacit.contract.signals import STATUS, Signal, decode_signal
from tacit.errors import ConfigurationError
from tacit.reader.cluster_map import Address

USERS_AT_ONCE = 500

Fields = dict[bytes, bytes]


@dataclass(slots=True)
class FacetDifference:
    """Difference of two namespaces in one facet; counts are of users."""

    both: int = 0
    """Users with a signal in both namespaces."""
    value: int = 0
    """Of `both`: the values differ."""
    tier: int = 0
    source: int = 0
    confidence_moved: float = 0.0
    """Sum of |difference| over `confident`."""
    confident: int = 0
    """Of `both`: both signals have a confidence."""
    only_first: int = 0
    only_second: int = 0


@dataclass(slots=True)
class Difference:
    """Difference of two namespaces; counts are of users."""

    first: str
    second: str
    both: int = 0
    """Users with signals, or an opt-out, in both namespaces."""
    same: int = 0
    """Of `both`: value, tier and source of every facet are equal."""
    only_first: int = 0
    only_second: int = 0
    opted_out_in_one: int = 0
    unreadable: int = 0
    """Fields that are not signals."""
    facets: dict[str, FacetDifference] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the members for JSON, with means in place of sums."""
        found = asdict(self)
        for facet in found["facets"].values():
            confident = facet.pop("confident")
            facet["confidence_moved"] = round(facet["confidence_moved"] / confident, 4) if confident else None
        return found


class Namespaces:
    """Namespaces of one region; users are counted by pseudonym.

    All methods raise SinkError as `RedisClient.deliver`.
    """

    def __init__(self, client: RedisClient, keys: RegionKeys) -> None:
        self._client = client
        self._keys = keys

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def active(self) -> str:
        """Return the active namespace."""
        found = cast("bytes | None", self._client.execute(("GET", self._keys.active)))
        return found.decode("utf-8", "replace") if found else LIVE

    def registered(self) -> list[str]:
        """Return the namespaces of all writers, in alphabetical order."""
        return sorted(
            name.decode() for name in cast("list[bytes]", self._client.execute(("SMEMBERS", self._keys.namespaces)))
        )

    def promote(self, namespace: str) -> str:
        """Make a namespace the active one, and return the previous one; readers follow within a second.

        Raises:
            ConfigurationError: no writer has used the namespace.
        """
        self.require(namespace)
        before = self.active()
        self._client.execute(("SET", self._keys.active, namespace))
        return before

    def require(self, namespace: str) -> None:
        """Raise ConfigurationError if no writer has used the namespace."""
        registered = self.registered()
        if namespace not in registered:
            allowed = f"allowed are {', '.join(registered)}" if registered else "this region has no namespace"
            raise ConfigurationError([f"namespace: {namespace} has no signals; {allowed}"])

    def compare(self, first: str, second: str) -> Difference:
        """Compare all users of two namespaces; a write during the comparison counts or not."""
        found = Difference(first, second)
        for one, other in self._pairs(first, second):
            if one:
                found.both += bool(other)
                found.only_first += not other
            if one and other:
                _compare_user(found, one, other)
        for one, other in self._pairs(second, first):
            found.only_second += bool(one) and not other
        return found

    def _pairs(self, first: str, second: str) -> Iterator[tuple[Fields, Fields]]:
        """Yield the fields in the first and in the second namespace, for each user of the first."""
        first_keys, second_keys = self._keys.within(first), self._keys.within(second)
        users = self._users(first_keys.signals_pattern)
        while some := list(islice(users, USERS_AT_ONCE)):
            keys = [names.signals_of(user) for user in some for names in (first_keys, second_keys)]
            replies = self._client.deliver([("HGETALL", key) for key in keys], keys)
            held = [_as_fields(reply) for reply in replies]
            yield from zip(held[::2], held[1::2], strict=True)

    def _users(self, pattern: str) -> Iterator[str]:
        """Yield the pseudonym of each user once, server after server."""
        seen = set[str]()
        for server in self._client.servers():
            for key in self._scan(pattern, server):
                user = hash_tag(key.decode("utf-8", "replace"))
                if user not in seen:
                    seen.add(user)
                    yield user

    def _scan(self, pattern: str, server: Address) -> Iterator[bytes]:
        cursor = b"0"
        while True:
            cursor, keys = cast(
                "tuple[bytes, list[bytes]]",
                self._client.execute(("SCAN", cursor, "MATCH", pattern, "COUNT", 1000), server),
            )
            yield from keys
            if cursor == b"0":
                return


def _as_fields(reply: object) -> Fields:
    """Return the fields of a hash; a key of another type has none."""
    if not isinstance(reply, list):
        return {}
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _compare_user(found: Difference, one: Fields, other: Fields) -> None:
    if (STATUS.encode() in one) != (STATUS.encode() in other):
        found.opted_out_in_one += 1
        return
    is_same = True
    for name in sorted(one.keys() | other.keys()):
        if name.startswith(b"_"):  # not a facet: profile, status, wipe
            continue
        first, second = (_signal(found, fields.get(name)) for fields in (one, other))
        facet = found.facets.setdefault(name.decode(), FacetDifference())
        facet.only_first += bool(first) and not second
        facet.only_second += bool(second) and not first
        is_same &= bool(first) == bool(second)
        if first and second:
            is_same &= _compare_signals(facet, first, second)
    found.same += is_same


def _signal(found: Difference, raw: bytes | None) -> Signal | None:
    if raw is None:
        return None
    try:
        return decode_signal(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found.unreadable += 1
        return None


def _compare_signals(facet: FacetDifference, one: Signal, other: Signal) -> bool:
    facet.both += 1
    facet.value += one.value != other.value
    facet.tier += one.tier != other.tier
    facet.source += one.source != other.source
    if one.confidence is not None and other.confidence is not None:
        facet.confidence_moved += abs(one.confidence - other.confidence)
        facet.confident += 1
    return (one.value, one.tier, one.source) == (other.value, other.tier, other.source)
