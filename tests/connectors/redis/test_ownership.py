"""Owner of a namespace on a real Redis: one live run at a time, and no owner that is believed after its lease."""

from collections.abc import Callable, Iterator
from contextlib import closing
from unittest.mock import ANY

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.ownership import LEASE_MS, OWNERSHIP_SCRIPTS, Held, NamespaceOwner
from tacit.contract.keys import RegionKeys

KEYS = RegionKeys("eu")
OWNER = KEYS.within("live").owner


@pytest.fixture
def owner(redis_url: str) -> Iterator[NamespaceOwner]:
    with closing(NamespaceOwner(RedisClient(redis_url, scripts=OWNERSHIP_SCRIPTS), KEYS, "live")) as opened:
        yield opened


@pytest.fixture
def end_lease(redis_client: redis.Redis) -> Callable[[], object]:
    """Return a function that lets the lease end."""
    return lambda: redis_client.hset(OWNER, "until_ms", 1)


def test_first_run_takes_a_new_namespace(owner: NamespaceOwner) -> None:
    assert owner.read() == (None, b"", 0, 0)
    assert owner.take(b"one", "s1") == Held(taken_ms=ANY)
    assert owner.read() == ("s1", b"one", ANY, ANY)
    assert 0 < owner.read().left_ms <= LEASE_MS


def test_second_run_is_turned_away_while_the_lease_holds(owner: NamespaceOwner) -> None:
    owner.take(b"one", "s1")
    held = owner.take(b"two", "s1")
    assert held.other == b"one"
    assert 0 < held.left_ms <= LEASE_MS
    assert owner.read().run == b"one"


def test_second_run_takes_over_at_the_end_of_the_lease(owner: NamespaceOwner, end_lease: Callable[[], object]) -> None:
    """The first run then learns at its next look that it lost the namespace."""
    owner.take(b"one", "s1")
    end_lease()
    assert not owner.take(b"two", "s2").other
    assert owner.renew(b"one", "s1").other == b"two"
    assert owner.read()[:2] == ("s2", b"two")


def test_run_that_surely_ended_is_replaced_at_once(owner: NamespaceOwner) -> None:
    owner.take(b"one", "s1")
    assert owner.take(b"two", "s1", instead_of=b"other").other == b"one"
    assert not owner.take(b"two", "s1", instead_of=b"one").other


def test_released_namespace_is_free_and_keeps_its_state_folder(owner: NamespaceOwner) -> None:
    owner.take(b"one", "s1")
    owner.release(b"two")
    assert owner.read().run == b"one"
    owner.release(b"one")
    assert owner.read() == ("s1", b"", 0, ANY)
    assert owner.take(b"two", "s1") == Held(taken_ms=ANY)


def test_run_renews_a_lease_that_ended_unseen(owner: NamespaceOwner, end_lease: Callable[[], object]) -> None:
    """A run that slept has its namespace back where no other run took it."""
    taken_ms = owner.take(b"one", "s1").taken_ms
    end_lease()
    assert owner.renew(b"one", "s1") == Held(until_ms=1, taken_ms=taken_ms)
    assert owner.read().left_ms > 0


def test_run_does_not_renew_the_ended_lease_of_another_run(
    owner: NamespaceOwner, end_lease: Callable[[], object]
) -> None:
    """The other run may have written signals."""
    owner.take(b"two", "s2")
    end_lease()
    assert owner.renew(b"one", "s1").other == b"two"


def test_each_take_has_a_later_time_than_the_take_before(
    owner: NamespaceOwner, redis_client: redis.Redis, end_lease: Callable[[], object]
) -> None:
    """By the clock of Redis, and also where that clock went back, as after a failover."""
    first = owner.take(b"one", "s1").taken_ms
    seconds, _ = redis_client.time()
    assert abs(first - seconds * 1000) < 60_000
    end_lease()
    assert owner.take(b"two", "s1").taken_ms > first
    redis_client.hset(OWNER, mapping={"taken_ms": 9_000_000_000_000, "until_ms": 1})
    assert owner.take(b"one", "s1").taken_ms == 9_000_000_000_001
    assert owner.renew(b"two", "s1").taken_ms == 9_000_000_000_001
    owner.release(b"one")
    assert owner.take(b"two", "s1").taken_ms == 9_000_000_000_002


def test_renewal_after_a_flush_shows_the_loss(owner: NamespaceOwner, redis_client: redis.Redis) -> None:
    """The stored end of the lease never goes back otherwise."""
    owner.take(b"one", "s1")
    before = owner.renew(b"one", "s1").until_ms
    assert owner.renew(b"one", "s1").until_ms == before > 0
    redis_client.flushall()
    assert owner.renew(b"one", "s1").until_ms == 0
    assert owner.read()[:2] == ("s1", b"one")


def test_names_of_the_region_are_put_back(owner: NamespaceOwner, redis_client: redis.Redis) -> None:
    """A stored active namespace stays."""
    owner.register(frozenset({"live", "shadow"}))
    owner.keep_active("shadow")
    owner.keep_active("live")
    assert owner.namespaces() == redis_client.smembers(KEYS.namespaces) == {"live", "shadow"}
    assert owner.active() == "shadow"


def test_contents_are_counted_without_a_look_at_each_key(owner: NamespaceOwner, redis_client: redis.Redis) -> None:
    redis_client.set("a", 1)
    redis_client.set(KEYS.within("live").population, 7)
    assert owner.contents() == {"redis_keys": 2, "population_version": 7}
