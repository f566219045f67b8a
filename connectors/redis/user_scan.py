"""Users with signals in Redis: each one once, or a sample that is the same each time."""

from collections.abc import Collection, Iterator
from hashlib import blake2b
from heapq import heappushpop

from connectors.redis.client import RedisClient
from connectors.redis.seen_users import SeenUsers
from tacit.contract.keys import RegionKeys, hash_tag, namespace_of
from tacit.contract.pseudonyms import is_pseudonym


def users_in(client: RedisClient, keys: RegionKeys, namespaces: Collection[str]) -> Iterator[str]:
    """Yield the pseudonym of each user with signals in a namespace, once, server after server.

    Signals that come or go during the scan may be left out.

    Raises:
        SinkError: as `RedisClient.execute`.
    """
    seen = SeenUsers()
    for server in client.servers():
        for key in client.scan(keys.signals_pattern, server):
            name = key.decode("utf-8", "replace")
            user = hash_tag(name)
            if namespace_of(name) in namespaces and is_pseudonym(user) and seen.add(user):
                yield user


def sample_of(users: Iterator[str], size: int) -> list[str]:
    """Return the users with the lowest hashes of their pseudonyms, in this order: a sample in memory of its size.

    The sample depends on the users alone, not on their order, and hardly changes as users come and go.

    >>> names = [f"k1.{number:032x}" for number in range(9)]
    >>> sample_of(iter(names), 3) == sample_of(iter(reversed(names)), 3)
    True
    """
    highest_first: list[tuple[int, str]] = []
    for user in users:
        entry = (-sample_hash(user), user)
        if len(highest_first) < size:
            highest_first.append(entry)
            if len(highest_first) == size:
                highest_first.sort()
        elif entry > highest_first[0]:
            heappushpop(highest_first, entry)
    return [user for _, user in sorted(highest_first, reverse=True)]


def sample_hash(pseudonym: str) -> int:
    """Return the hash of a pseudonym by which samples are taken; shards and the holdout have others."""
    return int.from_bytes(blake2b(pseudonym.encode(), digest_size=8, person=b"tacit-sample").digest(), "big")


def has_users(client: RedisClient, keys: RegionKeys, namespace: str) -> bool:
    """Return whether a namespace has signals of a user. Errors as in `users_in`."""
    pattern = keys.within(namespace).signals_pattern
    return any(True for server in client.servers() for _ in client.scan(pattern, server))
