"""Byte search in Redis: the keys of a region and their values, on all servers."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import msgspec
import redis

from connectors.redis.client import RedisClient
from connectors.traces.files import UNREADABLE
from connectors.traces.needles import Needles, Trace
from tacit.contract.history import History
from tacit.contract.signals import STATUS, WIPED
from tacit.reader.cluster_map import Address
from tacit.reader.round_trips import Command, Reply

KEYS_AT_ONCE = 500

_STATUSES = (STATUS.encode(), WIPED.encode())

_READS = ("GET", "HGETALL", "SMEMBERS", "XRANGE")
"""Reads of a key of each type that Tacit writes; an auditor has the right to all of them."""


def find_redis_traces(client: RedisClient, region: str, needles: Needles) -> Iterator[Trace]:
    """Yield the traces of a user in the keys of a region, in all namespaces; the place is the key.

    The key of signals that hold the status of a "no" alone is a tombstone, and so is a history of forgets and consents.

    Raises:
        SinkError: Redis does not answer, or the user lacks a right.
    """
    for server in client.servers():
        keys = client.scan(f"tacit:v1:{region}:*", server)
        while some := list(islice(keys, KEYS_AT_ONCE)):
            for key, reply in zip(some, _values(client, some, server), strict=True):
                place = needles.masked(key.decode("utf-8", "surrogateescape"))
                for kind in sorted(needles.in_bytes(b"\0".join((key, *_parts(reply))))):
                    yield Trace(place, 0, "tombstone" if kind == "pseudonym" and _is_tombstone(key, reply) else kind)
                if isinstance(reply, redis.RedisError):
                    yield Trace(place, 0, UNREADABLE)


def _values(client: RedisClient, keys: list[bytes], server: Address) -> list[Reply]:
    """Return the value of each key; an error for a key of a type that Tacit does not write."""
    replies: list[Reply] = client.deliver([_read(key) for key in keys], keys, server)
    for read in _READS:
        wrong = [index for index, reply in enumerate(replies) if isinstance(reply, redis.RedisError)]
        others = client.deliver([_read_by(read, keys[index]) for index in wrong], wrong, server) if wrong else []
        for index, reply in zip(wrong, others, strict=True):
            replies[index] = reply
    return replies


def _read(key: bytes) -> Command:
    """Return the read that fits a key of Tacit."""
    if key.endswith((b":signals", b":defaults")):
        return _read_by("HGETALL", key)
    if key.endswith(b":changes"):
        return _read_by("XRANGE", key)
    return _read_by("SMEMBERS" if key.endswith((b":namespaces", b":pinned")) else "GET", key)


def _read_by(name: str, key: bytes) -> Command:
    """Return the command that reads a whole key."""
    return (name, key, "-", "+") if name == "XRANGE" else (name, key)


def _is_tombstone(key: bytes, reply: Reply) -> bool:
    """Return whether a key holds nothing but a "no", a forget or a "yes"."""
    if key.endswith(b":history") and isinstance(reply, bytes):
        with suppress(msgspec.MsgspecError):
            found = msgspec.json.decode(reply, type=History)
            return not found.changes and all(each.action in {"consent", "forget"} for each in found.actions)
        return False
    return isinstance(reply, list) and bool(reply) and all(field in _STATUSES for field in reply[::2])


def _parts(reply: object) -> Iterable[bytes]:
    """Yield the texts of a reply; the entries of a stream are lists."""
    if isinstance(reply, bytes):
        yield reply
    elif isinstance(reply, list):
        for part in reply:
            yield from _parts(part)
