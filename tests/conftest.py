"""Fixtures for all tests: a real Redis, once on each server that must work."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings

from tacit_lab.embedded import EmbeddedRedis
from tests.support.redis_server import BINARIES

settings.register_profile("tacit", deadline=None)  # other work on the machine makes no test slow
settings.load_profile("tacit")


@pytest.fixture(scope="session", params=BINARIES)
def redis_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedRedis]:
    """Return a running server."""
    with EmbeddedRedis(BINARIES[request.param]) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: EmbeddedRedis) -> Iterator[redis.Redis]:
    """Return a client, which speaks text, of a server that holds nothing."""
    with redis.Redis.from_url(redis_server.url, protocol=2, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis, redis_client: redis.Redis) -> str:
    """Return the URL of a server that holds nothing."""
    return redis_server.url
