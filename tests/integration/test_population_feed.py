"""The feed on a real Redis: each newer version once, whatever happens to Redis, and a prompt end."""

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


class Heard(list[int]):
    """The numbers of what was handed over."""

    def hear(self, version: PopulationVersion) -> None:
        """Note a version."""
        self.append(version.n)

    def wait_for(self, *numbers: int) -> None:
        """Return once exactly these have been handed over."""
        eventually(lambda: len(self) >= len(numbers), within_s=10, what=f"versions {numbers} after {self}")
        assert self == [*numbers]


def feed(url: str, share: Callable[[PopulationVersion], object], after: int = 0) -> PopulationFeed:
    return PopulationFeed(lambda: store_at(url), share, after=after, interval_s=OFTEN_S)


@contextmanager
def rounds_pass(client: redis.Redis) -> Iterator[None]:
    """Do something, and return when the feed has looked at least twice since."""
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
    heard = Heard()
    store.publish(write(1), fill=False)
    with feed(redis_url, heard.hear):
        heard.wait_for(1)
        with rounds_pass(redis_client):
            store.publish(write(2), fill=False)
        heard.wait_for(1, 2)
        store.publish(write(7), fill=False)
        heard.wait_for(1, 2, 7)


def test_whole_version_is_handed_over(redis_url: str, store: PopulationRedisStore) -> None:
    heard: list[PopulationVersion] = []
    store.publish(write(3), fill=False)
    with feed(redis_url, heard.append):
        eventually(lambda: heard, within_s=10, what="the version")
    assert heard == [version(3)]


def test_version_that_is_there_already_is_not_handed_over(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    heard = Heard()
    store.publish(write(5), fill=False)
    with feed(redis_url, heard.hear, after=5), rounds_pass(redis_client):
        pass
    assert heard == []


def test_redis_that_was_emptied_takes_nothing_back(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    heard = Heard()
    store.publish(write(5), fill=False)
    with feed(redis_url, heard.hear):
        heard.wait_for(5)
        with rounds_pass(redis_client):
            redis_client.flushall()
            store.publish(write(4), fill=False)
        assert heard == [5]
        store.publish(write(6), fill=False)
        heard.wait_for(5, 6)


def test_version_that_cannot_be_read_is_logged_once_and_passed_over(
    redis_url: str, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    heard = Heard()
    store.publish(write(1), fill=False)
    redis_client.set(LIVE.population_version(1), "{")
    with capture_logs() as logs, feed(redis_url, heard.hear):
        with rounds_pass(redis_client):
            pass
        store.publish(write(2), fill=False)
        heard.wait_for(2)
    assert _names(logs) == ["population_read.failed", "population_read.recovered"]


def test_version_that_cannot_be_used_is_passed_over(redis_url: str, store: PopulationRedisStore) -> None:
    """Whatever is wrong with it, the next one is looked for."""
    heard = Heard()

    def use(version: PopulationVersion) -> None:
        heard.hear(version)
        if version.n == 1:
            raise ValueError("a variance below 0")

    store.publish(write(1), fill=False)
    with capture_logs() as logs, feed(redis_url, use):
        eventually(lambda: len(logs) == 2, within_s=10, what="the feed to go on")
        store.publish(write(2), fill=False)
        heard.wait_for(1, 2)
    assert _names(logs) == ["population_feed.failed", "population_feed.recovered"]


def test_redis_that_dies_and_comes_back_is_said_once_each_way(tmp_path: Path) -> None:
    heard = Heard()
    tries: list[set[str]] = []

    def make_store() -> PopulationRedisStore:
        return PopulationRedisStore(
            RedisClient(server.url, retry_for_s=0.0, on_retry=lambda _, met: tries.append(met)), LIVE
        )

    with (
        fragile_redis(tmp_path) as server,
        closing(store_at(server.url, 5.0)) as store,
        capture_logs() as logs,
        PopulationFeed(make_store, heard.hear, interval_s=OFTEN_S),
    ):
        store.publish(write(1), fill=False)
        heard.wait_for(1)
        server.kill()
        eventually(lambda: len(tries) >= 5, within_s=10, what="the feed to try several times")
        server.start()
        store.publish(write(2), fill=False)
        heard.wait_for(1, 2)
    assert [(log["log_level"], log["event"]) for log in logs] == [
        ("warning", "population_feed.failed"),
        ("info", "population_feed.recovered"),
    ]


def test_redis_that_is_not_there_does_not_keep_a_run_from_starting_or_ending() -> None:
    heard = Heard()
    started_s = monotonic()
    with capture_logs() as logs, feed(f"redis://127.0.0.1:{free_port()}", heard.hear):
        eventually(lambda: logs, within_s=10, what="the feed to say so")
    assert monotonic() - started_s < 5
    assert _names(logs) == ["population_feed.failed"]
    assert "CONNECTION" in logs[0]["error"]


def test_end_does_not_wait_for_the_next_look(redis_url: str, store: PopulationRedisStore) -> None:
    """An hour between looks, and a prompt end; its thread and its connection are gone."""
    heard = Heard()
    store.publish(write(1), fill=False)
    with PopulationFeed(lambda: store_at(redis_url), heard.hear, interval_s=3600.0):
        heard.wait_for(1)
        started_s = monotonic()
    assert monotonic() - started_s < 5
    assert _feeds() == []


def test_end_does_not_wait_for_a_frozen_redis_and_nothing_is_handed_over_afterwards(tmp_path: Path) -> None:
    heard = Heard()
    with fragile_redis(tmp_path) as server, closing(store_at(server.url, 5.0)) as store:
        with feed(server.url, heard.hear):
            store.publish(write(1), fill=False)
            heard.wait_for(1)
            server.pause()
            started_s = monotonic()
        assert monotonic() - started_s < 4
        server.resume()
        store.publish(write(2), fill=False)
        eventually(lambda: not _feeds(), within_s=10, what="the thread to end")
    assert heard == [1]


def test_connection_is_closed_at_the_end(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.ping()
    before = len(redis_client.client_list())
    with feed(redis_url, Heard().hear):
        eventually(lambda: len(redis_client.client_list()) == before + 1, within_s=10, what="the feed's connection")
    eventually(lambda: len(redis_client.client_list()) == before, within_s=10, what="the connection to be closed")


def test_url_that_cannot_be_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError), feed("http://redis", Heard().hear):
        pass


def _feeds() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "population-feed"]
