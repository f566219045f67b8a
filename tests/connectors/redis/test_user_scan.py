"""connectors/redis/user_scan on a real Redis: each user once, and samples."""

from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.user_scan import has_users, sample_of, users_in
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym_text

KEYS = RegionKeys("eu")
USERS = [pseudonym_text(Random(number).randbytes(16)) for number in range(2500)]


@pytest.fixture
def client(redis_url: str) -> Iterator[RedisClient]:
    with closing(RedisClient(redis_url)) as found:
        yield found


@pytest.fixture
def filled(redis_client: redis.Redis) -> redis.Redis:
    """Return a Redis with users in two of three namespaces, gates, and foreign keys."""
    pipeline = redis_client.pipeline()
    for number, user in enumerate(USERS):
        pipeline.hset(KEYS.within("live" if number % 3 else "shadow").signals_of(user), "length", "{}")
        pipeline.hset(KEYS.within("shadow").signals_of(user), "length", "{}")
        pipeline.set(KEYS.gate_of(user), "")
    pipeline.hset(KEYS.within("other").signals_of(USERS[0].replace("k1.", "k1.f")[:35]), "length", "{}")
    pipeline.hset("tacit:v1:eu:live:{no user}:signals", "length", "{}")
    pipeline.execute()
    return redis_client


def test_each_user_comes_once(filled: redis.Redis, client: RedisClient) -> None:
    """From both namespaces, and nothing else."""
    found = list(users_in(client, KEYS, {"live", "shadow"}))
    assert sorted(found) == sorted(USERS)
    assert len(list(users_in(client, KEYS, {"live"}))) == sum(1 for number in range(2500) if number % 3)


def test_sample_is_the_same_in_any_order(filled: redis.Redis, client: RedisClient) -> None:
    """A larger sample has the smaller one, and a sample of more users than there are has all."""
    sample = sample_of(users_in(client, KEYS, {"shadow"}), 100)
    shuffled = USERS.copy()
    Random(1).shuffle(shuffled)
    assert sample == sample_of(iter(shuffled), 100) == sample_of(iter(USERS), 200)[:100]
    assert sorted(sample_of(iter(USERS), 9999)) == sorted(USERS)


def test_sample_hardly_changes_with_the_users() -> None:
    """Of 250 fewer users, a sample loses its own only."""
    sample, later = sample_of(iter(USERS), 100), sample_of(iter(USERS[250:]), 100)
    gone = set(USERS[:250])
    assert [user for user in sample if user not in gone] == [user for user in later if user in set(sample)]


def test_namespace_without_users_is_known(filled: redis.Redis, client: RedisClient) -> None:
    assert has_users(client, KEYS, "live")
    assert not has_users(client, KEYS, "fresh")
