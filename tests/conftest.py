"""Check before all tests, and their fixtures: real Redis servers, one of each supported kind."""

import gc
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from state.row.form import COMPILED
from tacit_lab.embedded import EmbeddedRedis
from tests.support.extension_modules import refuse_stale
from tests.support.redis_server import BINARIES

# No test fails because the machine is busy, or by chance: `--hypothesis-profile random` draws other examples.
settings.register_profile("random", deadline=None, print_blob=True)
settings.register_profile("tacit", settings.get_profile("random"), derandomize=True)
settings.load_profile("tacit")

SERVERS = {"redis_server", "kafka", "s3_server", "secure_broker"}
"""Fixtures that start a server."""

PROJECT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to test a compiled core that is older than its sources; workers of xdist start after this check."""
    if COMPILED and not hasattr(config, "workerinput"):
        refuse_stale(PROJECT)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the tests themselves, which live until the end, out of all searches for garbage: one took half a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests with a server, which `make test-fast` leaves out."""
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("server")


@pytest.fixture(scope="session", params=BINARIES)
def redis_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedRedis]:
    """Yield a running server."""
    with EmbeddedRedis(BINARIES[request.param]) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: EmbeddedRedis) -> Iterator[redis.Redis]:
    """Yield a client of an empty server; replies are text."""
    with redis.Redis.from_url(redis_server.url, protocol=2, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis, redis_client: redis.Redis) -> str:
    """Return the URL of an empty server."""
    return redis_server.url
