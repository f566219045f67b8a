"""Population versions on a real Redis: a pointer that only rises, its defaults, a bounded number of versions."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from threading import Thread

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connectors.population.redis_store import KEPT, PopulationRedisStore
from connectors.redis.client import RedisClient
from state.catalogue.numbered import NumberedCatalogue
from state.errors import SinkError
from state.learning.population_version import encode_version
from tacit.contract.keys import NamespaceKeys, RegionKeys
from tacit.contract.signals import decode_signal
from tacit.errors import ConfigurationError
from tacit_lab.embedded import EmbeddedRedis
from tests.support.sample_population import version, write
from tests.support.sample_signals import NOW_MS

LIVE = RegionKeys("eu").within("live")
SHADOW = RegionKeys("eu").within("shadow")
CATALOGUE = NumberedCatalogue.load()

runs_on_a_server = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def live(redis_url: str) -> Iterator[PopulationRedisStore]:
    with closing(PopulationRedisStore(RedisClient(redis_url, retry_for_s=5.0), LIVE)) as store:
        yield store


@pytest.fixture
def shadow(redis_url: str) -> Iterator[PopulationRedisStore]:
    with closing(PopulationRedisStore(RedisClient(redis_url, retry_for_s=5.0), SHADOW, LIVE)) as store:
        yield store


@pytest.fixture(scope="module")
def lasting(redis_server: EmbeddedRedis) -> Iterator[PopulationRedisStore]:
    with closing(PopulationRedisStore(RedisClient(redis_server.url), LIVE)) as store:
        yield store


def kept_numbers(client: redis.Redis, keys: NamespaceKeys = LIVE) -> list[int]:
    """Return the numbers of all versions that Redis holds."""
    tails = [str(key).removeprefix(f"{keys.population}:") for key in client.keys(f"{keys.population}:*")]
    return sorted(int(tail) for tail in tails if tail != "pinned")


def default_versions(client: redis.Redis, keys: NamespaceKeys = LIVE) -> dict[str, str]:
    """Return facet → version of its default."""
    return {str(facet): decode_signal(str(raw).encode()).by for facet, raw in client.hgetall(keys.defaults).items()}


def test_key_of_pins_shares_the_prefix_of_versions() -> None:
    assert LIVE.population_pinned == "tacit:v1:eu:{live}:population:pinned"


class TestReading:
    """Stored versions are found; an unreadable version counts as missing."""

    def test_empty_namespace_has_no_version(self, live: PopulationRedisStore) -> None:
        assert live.newest() is None
        assert live.fetch(1) is None

    def test_published_version_is_the_newest_and_can_be_fetched(self, live: PopulationRedisStore) -> None:
        assert live.publish(write(1), fill=False)
        assert live.publish(write(2), fill=False)
        assert live.newest() == live.fetch(2) == version(2)
        assert live.fetch(1) == version(1)

    def test_only_versions_above_a_number_are_read(self, live: PopulationRedisStore) -> None:
        live.publish(write(2), fill=False)
        assert live.newest(above=1) == version(2)
        assert live.newest(above=2) is None

    def test_version_that_is_only_in_the_fallback_is_fetched_but_is_not_the_newest(
        self, live: PopulationRedisStore, shadow: PopulationRedisStore
    ) -> None:
        live.publish(write(7), fill=False)
        assert shadow.fetch(7) == version(7)
        assert shadow.newest() is None

    def test_own_version_outranks_the_fallbacks(self, live: PopulationRedisStore, shadow: PopulationRedisStore) -> None:
        live.publish(write(7), fill=False)
        shadow.publish(write(7, NOW_MS - 5), fill=False)
        assert shadow.fetch(7) == version(7, NOW_MS - 5)

    @pytest.mark.parametrize("raw", [b"", b"seven", b"-1", b"0", b"07", b"1.0", b"\xff", b"9" * 5000])
    def test_pointer_without_a_number_is_logged_and_replaced(
        self, live: PopulationRedisStore, redis_client: redis.Redis, raw: bytes
    ) -> None:
        redis_client.set(LIVE.population, raw)
        with capture_logs() as logs:
            assert live.newest() is None
        assert [log["event"] for log in logs] == ["population_read.failed"]
        assert live.publish(write(1), fill=False)
        assert live.newest() == version(1)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"null",
            b"\xff",
            b"{",
            b'{"n":3}',
            b'{"x":' + b"[" * 100_000,
            encode_version(version(3))[:-9],
            encode_version(version(4)),
        ],
        ids=["empty", "null", "no text", "torn", "nearly empty", "deep", "cut off", "another's"],
    )
    def test_unreadable_version_is_none_and_logged_once(
        self, live: PopulationRedisStore, redis_client: redis.Redis, raw: bytes
    ) -> None:
        live.publish(write(3), fill=False)
        redis_client.set(LIVE.population_version(3), raw)
        with capture_logs() as logs:
            assert [live.newest(), live.newest(), live.fetch(3)] == [None, None, None]
        assert [(log["log_level"], log["event"]) for log in logs] == [("warning", "population_read.failed")]

    def test_other_types_are_none(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        redis_client.rpush(LIVE.population_version(3), "x")
        assert live.fetch(3) is None
        redis_client.rpush(LIVE.population, "x")
        assert live.newest() is None

    def test_run_continues_after_an_unreadable_version(
        self, live: PopulationRedisStore, redis_client: redis.Redis
    ) -> None:
        live.publish(write(1), fill=False)
        redis_client.set(LIVE.population_version(1), "{")
        assert live.publish(write(2), fill=True)
        assert live.newest() == version(2)


class TestPublishing:
    """A version, its number and its defaults are written together or not at all."""

    def test_repeat_changes_nothing(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        for n in (1, 2):
            live.publish(write(n), fill=False)
        before = _dump(redis_client)
        assert live.publish(write(2), fill=False)
        assert live.publish(write(1), fill=False)
        assert _dump(redis_client) == before

    def test_older_number_replaces_nothing(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        live.publish(write(5), fill=False)
        before = _dump(redis_client)
        with capture_logs() as logs:
            assert not live.publish(write(4, NOW_MS + 1), fill=False)
        assert [(log["log_level"], log["event"]) for log in logs] == [("info", "population.publish_skipped")]
        assert _dump(redis_client) == before

    def test_version_is_written_once(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        """Of two trainers at the same time, only one can publish version 5."""
        live.publish(write(5), fill=False)
        before = _dump(redis_client)
        assert not live.publish(write(5, NOW_MS + 1), fill=False)
        assert _dump(redis_client) == before

    def test_newest_ten_and_pinned_ones_are_kept(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        for n in range(1, 4):
            live.publish(write(n), fill=False)
        live.pin(2, CATALOGUE)
        for n in range(4, 31):
            live.publish(write(n), fill=False)
        assert kept_numbers(redis_client) == [2, *range(21, 31)]

    def test_unpinned_version_is_deleted(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        live.publish(write(1), fill=False)
        live.pin(1, CATALOGUE)
        for n in range(2, 13):
            live.publish(write(n), fill=False)
        redis_client.srem(LIVE.population_pinned, 1)
        live.publish(write(13), fill=False)
        assert kept_numbers(redis_client) == [*range(4, 14)]

    def test_facet_removed_from_the_catalogue_leaves_the_defaults(
        self, live: PopulationRedisStore, redis_client: redis.Redis
    ) -> None:
        live.publish(write(1, facets=("length", "tone")), fill=False)
        live.publish(write(2, facets=("tone", "format")), fill=False)
        assert default_versions(redis_client) == {"tone": "m1.c1.p2", "format": "m1.c1.p2"}
        live.publish(write(3, facets=()), fill=False)
        assert default_versions(redis_client) == {}

    @pytest.mark.parametrize(
        ("at_ms", "is_published"),
        [(NOW_MS - 1, False), (NOW_MS, False), (NOW_MS + 1, True)],
        ids=["older", "same", "newer"],
    )
    def test_replay_replaces_only_versions_older_in_event_time(
        self, live: PopulationRedisStore, redis_client: redis.Redis, at_ms: int, is_published: bool
    ) -> None:
        live.publish(write(1, NOW_MS), fill=False)
        poorer = write(2, at_ms)._replace(examples=1000)
        with capture_logs() as logs:
            assert live.publish(poorer, fill=True) is is_published
        assert [log["event"] for log in logs] == ["population.publish_skipped"] * (not is_published)
        assert live.newest() == (version(2, at_ms) if is_published else version(1, NOW_MS))
        assert set(default_versions(redis_client).values()) == {f"m1.c1.p{1 + is_published}"}

    def test_of_the_same_event_time_more_examples_are_newer(self, live: PopulationRedisStore) -> None:
        """With several processes, the newest event may arrive with the first thousand pieces of feedback."""
        for n in (1, 2, 3):
            assert live.publish(write(n, NOW_MS), fill=True)
        assert live.newest() == version(3, NOW_MS)

    def test_replay_fills_an_empty_namespace(self, live: PopulationRedisStore) -> None:
        assert live.publish(write(1), fill=True)
        assert live.publish(write(1), fill=True)

    @pytest.mark.parametrize("key", [LIVE.population, LIVE.population_pinned])
    def test_key_of_another_type_rejects_the_whole_version(
        self, live: PopulationRedisStore, redis_client: redis.Redis, key: str
    ) -> None:
        """The run continues with the version that it trained."""
        redis_client.rpush(key, "x")
        with capture_logs() as logs:
            assert not live.publish(write(1), fill=False)
        assert logs[-1]["event"] == "population.publish_rejected"
        assert kept_numbers(redis_client) == []
        assert default_versions(redis_client) == {}

    def test_defaults_of_another_type_are_replaced(self, live: PopulationRedisStore, redis_client: redis.Redis) -> None:
        redis_client.rpush(LIVE.defaults, "x")
        assert live.publish(write(1), fill=False)
        assert set(default_versions(redis_client)) == {"length", "tone"}

    def test_redis_without_memory_stores_no_part_of_a_version(self, redis_url: str, redis_client: redis.Redis) -> None:
        redis_client.config_set("maxmemory", 1)
        try:
            with (
                closing(PopulationRedisStore(RedisClient(redis_url, retry_for_s=0.1), LIVE)) as store,
                pytest.raises(SinkError, match="OOM"),
            ):
                store.publish(write(1), fill=False)
        finally:
            redis_client.config_set("maxmemory", 0)
        assert redis_client.dbsize() == 0

    def test_concurrent_publishers_end_with_the_newest(self, redis_url: str, redis_client: redis.Redis) -> None:
        def publish(numbers: range) -> None:
            with closing(PopulationRedisStore(RedisClient(redis_url), LIVE)) as store:
                for n in numbers:
                    store.publish(write(n), fill=False)

        threads = [Thread(target=publish, args=(range(first, 121, 3),)) for first in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert redis_client.get(LIVE.population) == "120"
        assert set(default_versions(redis_client).values()) == {"m1.c1.p120"}
        assert set(kept_numbers(redis_client)) <= set(range(111, 121))


@dataclass(frozen=True)
class Step:
    """Publication of a version, or its pin if the version exists."""

    n: int
    pin: bool


steps = st.lists(st.builds(Step, st.integers(1, 45), st.sampled_from([False, False, False, True])), max_size=40)


@runs_on_a_server
@given(taken=steps)
def test_any_order_and_repeats_end_in_the_newest_and_a_bounded_number(
    lasting: PopulationRedisStore, redis_client: redis.Redis, taken: list[Step]
) -> None:
    """After each step, pointer and defaults are those of the highest number, and older versions are unchanged."""
    redis_client.flushall()
    pinned: set[int] = set()
    newest = 0
    for step in taken:
        if not step.pin:
            lasting.publish(write(step.n), fill=False)
            newest = max(newest, step.n)
        elif step.n in kept_numbers(redis_client):
            lasting.pin(step.n, CATALOGUE)
            pinned.add(step.n)
        there = kept_numbers(redis_client)
        assert redis_client.get(LIVE.population) == (str(newest) if newest else None)
        assert set(default_versions(redis_client).values()) == ({f"m1.c1.p{newest}"} if newest else set())
        assert pinned <= set(there)
        assert all(newest - KEPT < n <= newest or n in pinned for n in there)
        assert lasting.newest() == (version(newest) if newest else None)
        assert all(lasting.fetch(n) == version(n) for n in there)


class TestPinning:
    """A pinned version stays."""

    def test_fallback_version_is_copied_and_published_in_an_empty_namespace(
        self, live: PopulationRedisStore, shadow: PopulationRedisStore, redis_client: redis.Redis
    ) -> None:
        live.publish(write(7), fill=False)
        assert shadow.pin(7, CATALOGUE) == version(7)
        assert shadow.newest() == version(7)
        assert set(default_versions(redis_client, SHADOW)) == set(CATALOGUE.facets)
        assert {by.rpartition(".")[2] for by in default_versions(redis_client, SHADOW).values()} == {"p7"}
        assert redis_client.smembers(SHADOW.population_pinned) == {"7"}
        assert not redis_client.exists(LIVE.population_pinned)
        for n in range(8, 20):
            live.publish(write(n), fill=False)
        assert live.fetch(7) is None
        assert shadow.fetch(7) == version(7)

    def test_pinning_keeps_the_published_defaults(
        self, live: PopulationRedisStore, shadow: PopulationRedisStore, redis_client: redis.Redis
    ) -> None:
        live.publish(write(7), fill=False)
        shadow.publish(write(2), fill=False)
        shadow.pin(7, CATALOGUE)
        assert shadow.newest() == version(2)
        assert set(default_versions(redis_client, SHADOW).values()) == {"m1.c1.p2"}
        assert shadow.fetch(7) == version(7)

    def test_number_of_a_pinned_copy_is_not_given_to_another_version(
        self, live: PopulationRedisStore, shadow: PopulationRedisStore
    ) -> None:
        live.publish(write(7), fill=False)
        shadow.publish(write(6), fill=False)
        shadow.pin(7, CATALOGUE)
        assert not shadow.publish(write(7, NOW_MS + 1), fill=False)
        assert shadow.publish(write(8, NOW_MS + 1), fill=False)
        assert shadow.fetch(7) == version(7)

    def test_pinning_again_changes_nothing(
        self, live: PopulationRedisStore, shadow: PopulationRedisStore, redis_client: redis.Redis
    ) -> None:
        live.publish(write(7), fill=False)
        shadow.pin(7, CATALOGUE)
        before = _dump(redis_client)
        shadow.pin(7, CATALOGUE)
        assert _dump(redis_client) == before

    @pytest.mark.parametrize(("newest", "newest_text"), [(None, "it has none"), (30, "the newest is 30")])
    def test_missing_version_is_rejected_with_the_allowed_ones(
        self, live: PopulationRedisStore, redis_client: redis.Redis, newest: int | None, newest_text: str
    ) -> None:
        if newest:
            live.publish(write(newest), fill=False)
        before = _dump(redis_client)
        with pytest.raises(ConfigurationError, match=rf"version 12 .* live \({newest_text}\): allowed are one"):
            live.pin(12, CATALOGUE)
        assert _dump(redis_client) == before


def test_unknown_members_of_a_newer_version_are_ignored(live: PopulationRedisStore, redis_client: redis.Redis) -> None:
    raw = msgspec.json.encode(msgspec.to_builtins(version(3)) | {"unknown": {"a": 1}})
    live.publish(write(3), fill=False)
    redis_client.set(LIVE.population_version(3), raw)
    assert live.newest() == version(3)


def _dump(client: redis.Redis) -> dict[str, object]:
    """Return all keys with their content."""
    read = {"string": client.get, "hash": client.hgetall, "set": client.smembers}
    return {str(key): read[str(client.type(key))](key) for key in client.scan_iter()}
