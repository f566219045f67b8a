"""Feed of population versions on a real Redis: each newer version once, also after outages, and a prompt end."""

import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from connectors.population.feed import PopulationFeed
from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from state.learning.population_version import PopulationVersion
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tests.support.conditions import eventually
from tests.support.ports import free_port
from tests.support.redis_faults import fragile_redis
from tests.support.sample_population import version, write

LIVE = RegionKeys("eu").within("live")
OFTEN_S = 0.01


def store_at(url: str, retry_for_s: float = 0.0) -> PopulationRedisStore:
    return PopulationRedisStore(RedisClient(url, retry_for_s=retry_for_s), LIVE)


@pytest.fixture
def store(redis_url: str) -> Iterator[PopulationRedisStore]:
    with closing(store_at(redis_url, 5.0)) as opened:
        yield opened


class Received(list[int]):
    """Numbers of the versions that the feed handed over."""

    def receive(self, version: PopulationVersion) -> None:
        """Add a version."""
        self.append(version.n)

    def wait_for(self, *numbers: int) -> None:
        """Wait until the feed has handed over exactly these versions."""
        eventually(lambda: len(self) >= len(numbers), within_s=10, what=f"versions {numbers} after {self}")
        assert self == [*numbers]


def feed(url: str, share: Callable[[PopulationVersion], object], after: int = 0) -> PopulationFeed:
    return PopulationFeed(lambda: store_at(url), share, after=after, interval_s=OFTEN_S)


@contextmanager
def rounds_pass(client: redis.Redis) -> Iterator[None]:
    """Run the block, then wait until the feed has checked Redis at least twice."""
    yield
    before = _reads(client)
    eventually(lambda: _reads(client) >= before + 3, within_s=10, what="the feed to look")


def _reads(client: redis.Redis) -> int:
    found: dict[str, dict[str, int]] = client.info("commandstats")
    return found.get("cmdstat_get", {"calls": 0})["calls"]


def _names(logs: list[MutableMapping[str, Any]]) -> list[str]:
    return [log["event"] for log in logs]


def test_each_newer_version_is_handed_over_once(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    received = Received()
    store.publish(write(1), fill=False)
    with feed(redis_url, received.receive):
        received.wait_for(1)
        with rounds_pass(redis_client):
            store.publish(write(2), fill=False)
        received.wait_for(1, 2)
        store.publish(write(7), fill=False)
        received.wait_for(1, 2, 7)


def test_whole_version_is_handed_over(redis_url: str, store: PopulationRedisStore) -> None:
    received: list[PopulationVersion] = []
    store.publish(write(3), fill=False)
    with feed(redis_url, received.append):
        eventually(lambda: received, within_s=10, what="the version")
    assert received == [version(3)]


def test_known_version_is_not_handed_over(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    received = Received()
    store.publish(write(5), fill=False)
    with feed(redis_url, received.receive, after=5), rounds_pass(redis_client):
        pass
    assert received == []


def test_emptied_redis_hands_over_nothing(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    received = Received()
    store.publish(write(5), fill=False)
    with feed(redis_url, received.receive):
        received.wait_for(5)
        with rounds_pass(redis_client):
            redis_client.flushall()
            store.publish(write(4), fill=False)
        assert received == [5]
        store.publish(write(6), fill=False)
        received.wait_for(5, 6)


def test_unreadable_version_is_logged_once_and_skipped(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    received = Received()
    store.publish(write(1), fill=False)
    redis_client.set(LIVE.population_version(1), "{")
    with capture_logs() as logs, feed(redis_url, received.receive):
        with rounds_pass(redis_client):
            pass
        store.publish(write(2), fill=False)
        received.wait_for(2)
    assert _names(logs) == ["population_read.failed", "population_read.recovered"]


def test_unusable_version_is_skipped(redis_url: str, store: PopulationRedisStore) -> None:
    """After any error, the feed fetches the next version."""
    received = Received()

    def use(version: PopulationVersion) -> None:
        received.receive(version)
        if version.n == 1:
            raise ValueError("a variance below 0")

    store.publish(write(1), fill=False)
    with capture_logs() as logs, feed(redis_url, use):
        eventually(lambda: len(logs) == 2, within_s=10, what="two log records of the feed")
        store.publish(write(2), fill=False)
        received.wait_for(1, 2)
    assert _names(logs) == ["population_feed.failed", "population_feed.recovered"]


def test_outage_and_recovery_are_each_logged_once(tmp_path: Path) -> None:
    received = Received()
    tries: list[set[str]] = []

    def make_store() -> PopulationRedisStore:
        return PopulationRedisStore(
            RedisClient(server.url, retry_for_s=0.0, on_retry=lambda _, met: tries.append(met)), LIVE
        )

    with (
        fragile_redis(tmp_path) as server,
        closing(store_at(server.url, 5.0)) as store,
        capture_logs() as logs,
        PopulationFeed(make_store, received.receive, interval_s=OFTEN_S),
    ):
        store.publish(write(1), fill=False)
        received.wait_for(1)
        server.kill()
        eventually(lambda: len(tries) >= 5, within_s=10, what="the feed to try several times")
        server.start()
        store.publish(write(2), fill=False)
        received.wait_for(1, 2)
    assert [(log["log_level"], log["event"]) for log in logs] == [
        ("warning", "population_feed.failed"),
        ("info", "population_feed.recovered"),
    ]


def test_run_starts_and_ends_without_redis() -> None:
    received = Received()
    started_s = monotonic()
    with capture_logs() as logs, feed(f"redis://127.0.0.1:{free_port()}", received.receive):
        eventually(lambda: logs, within_s=10, what="a log record of the feed")
    assert monotonic() - started_s < 5
    assert _names(logs) == ["population_feed.failed"]
    assert "CONNECTION" in logs[0]["error"]


def test_end_does_not_wait_for_the_next_check(redis_url: str, store: PopulationRedisStore) -> None:
    """With an hour between checks, the feed ends at once, without a thread or a connection left."""
    received = Received()
    store.publish(write(1), fill=False)
    with PopulationFeed(lambda: store_at(redis_url), received.receive, interval_s=3600.0):
        received.wait_for(1)
        started_s = monotonic()
    assert monotonic() - started_s < 5
    assert _feeds() == []


def test_end_does_not_wait_for_a_frozen_redis_and_nothing_is_handed_over_afterwards(tmp_path: Path) -> None:
    received = Received()
    with fragile_redis(tmp_path) as server, closing(store_at(server.url, 5.0)) as store:
        with feed(server.url, received.receive):
            store.publish(write(1), fill=False)
            received.wait_for(1)
            server.pause()
            started_s = monotonic()
        assert monotonic() - started_s < 4
        server.resume()
        store.publish(write(2), fill=False)
        eventually(lambda: not _feeds(), within_s=10, what="the thread to end")
    assert received == [1]


def test_connection_is_closed_at_the_end(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.ping()
    before = len(redis_client.client_list())
    with feed(redis_url, Received().receive):
        eventually(lambda: len(redis_client.client_list()) == before + 1, within_s=10, what="the feed's connection")
    eventually(lambda: len(redis_client.client_list()) == before, within_s=10, what="the connection to be closed")


def test_invalid_url_is_rejected_at_the_start() -> None:
    with pytest.raises(ConfigurationError), feed("http://redis", Received().receive):
        pass


def _feeds() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "population-feed"]
