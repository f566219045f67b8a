"""The start-up check describes problems of a Redis, and reports none for a suitable Redis."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from connectors.redis.health import redis_problems
from tacit.errors import ConfigurationError
from tests.support.ports import free_port


@contextmanager
def _evicting(client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        yield
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_suitable_redis_has_no_problems_and_is_unchanged(redis_url: str, redis_client: redis.Redis) -> None:
    assert redis_problems(redis_url, "eu") == []
    assert redis_client.dbsize() == 0


def test_eviction_is_a_problem(redis_url: str, redis_client: redis.Redis) -> None:
    with _evicting(redis_client):
        [problem] = redis_problems(redis_url, "eu")
    assert "set maxmemory-policy noeviction" in problem


def test_replica_is_a_problem(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.replicaof("127.0.0.1", "1")
    try:
        [problem] = redis_problems(redis_url, "eu")
    finally:
        redis_client.replicaof("NO", "ONE")
    assert "READONLY" in problem


def test_unreachable_redis_is_a_problem_without_its_password() -> None:
    [problem] = redis_problems(f"redis://writer:hush-hush@127.0.0.1:{free_port()}", "eu")
    assert "CONNECTION" in problem
    assert "hush-hush" not in problem


def test_url_of_another_kind_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match="Redis URL"):
        redis_problems("http://redis", "eu")
