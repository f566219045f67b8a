"""connectors/redis/comparison on a real Redis: all users of two namespaces, or a sample."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict

import msgspec
import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.comparison import USERS_AT_ONCE, compare
from connectors.redis.difference import Difference, Terms
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit.contract.keys import RegionKeys
from tests.support.gates import pin
from tests.support.sample_signals import NOW_MS, profile, signal, write

KEYS = RegionKeys("eu")
ADA, BOB, CYD, DEE = (bytes([n]) * 16 for n in range(4))


def store_writes(url: str, namespace: str, *writes: object) -> None:
    with closing(SignalWriter(Target(url, "eu", namespace), SinkCounters())) as writer:
        writer.write(writes)  # type: ignore[arg-type]  # any kind of write


@pytest.fixture
def client(redis_url: str) -> Iterator[RedisClient]:
    with closing(RedisClient(redis_url)) as found:
        yield found


@pytest.fixture
def two(redis_url: str) -> str:
    """Return a Redis with nearly the same signals in `live` and `shadow`."""
    concise, detailed = (signal(value, NOW_MS, tier="hint") for value in ("concise", "detailed"))
    surer = msgspec.structs.replace(concise, confidence=(concise.confidence or 0) + 0.1, tier="apply")
    same = write(("length", concise), ("_profile", profile(NOW_MS)), user=ADA)
    store_writes(redis_url, "live", same, write(("length", concise), ("tone", concise), user=BOB))
    store_writes(redis_url, "shadow", same, write(("length", detailed), user=BOB))
    store_writes(redis_url, "live", write(("length", concise), user=CYD))
    store_writes(redis_url, "shadow", write(("length", surer), user=CYD), write(("length", concise), user=DEE))
    return redis_url


def test_users_are_compared_facet_by_facet(two: str, client: RedisClient) -> None:
    found = compare(client, KEYS, "live", "shadow").as_dict()
    length, tone = found["facets"].pop("length"), found["facets"].pop("tone")
    assert found == {
        "first": "live", "second": "shadow", "sample": None, "tolerance": 0.0, "differs": True,
        "both": 3, "same": 1, "identical": 1, "only_first": 0, "only_second": 1,
        "opted_out_in_one": 0, "unreadable": 0, "facets": {}, "sources": [], "in_several_goes": [], "rebuilt": [],
        "tiers": [{"first": "hint", "second": "apply", "signals": 1}],
        "confidence": [
            {"up_to": 0.0, "signals": 2}, {"up_to": 0.01, "signals": 0}, {"up_to": 0.05, "signals": 0},
            {"up_to": 0.1, "signals": 1}, {"up_to": 0.2, "signals": 0}, {"up_to": None, "signals": 0},
        ],
        "profile": {
            "both": 1, "same": 1, "activity": 0, "topics": 0, "session": 0, "hours": 0,
            "only_first": 0, "only_second": 0,
        },
        "causes": {"missing_user": 1, "unexplained": 3},
    }  # fmt: skip
    assert length.pop("confidence_moved") == pytest.approx(0.1 / 3, abs=1e-4)
    assert length == {
        "both": 3, "same": 1, "value": 1, "tier": 1, "source": 0, "confidence": 1, "only_first": 0, "only_second": 0,
    }  # fmt: skip
    assert tone == {
        "both": 0, "same": 0, "value": 0, "tier": 0, "source": 0, "confidence": 0, "confidence_moved": None,
        "only_first": 1, "only_second": 0,
    }  # fmt: skip


def test_comparison_in_the_other_order_is_mirrored(two: str, client: RedisClient) -> None:
    one, other = compare(client, KEYS, "live", "shadow"), compare(client, KEYS, "shadow", "live")
    assert (one.both, one.same, one.only_first, one.only_second, one.causes) == (
        other.both, other.same, other.only_second, other.only_first, other.causes,
    )  # fmt: skip


def test_each_of_many_users_is_counted_once(redis_url: str, client: RedisClient) -> None:
    """The users exceed one batch, and one step of a scan."""
    users = 2 * USERS_AT_ONCE + 7
    writes = [write(("length", signal("concise", NOW_MS)), user=n.to_bytes(16, "big")) for n in range(users)]
    store_writes(redis_url, "live", *writes)
    store_writes(redis_url, "shadow", *writes[5:])
    found = compare(client, KEYS, "live", "shadow")
    assert (found.both, found.same, found.only_first, found.only_second) == (users - 5, users - 5, 5, 0)
    assert found.differs


def test_sample_is_compared_in_both_namespaces(redis_url: str, client: RedisClient) -> None:
    """A sample is the same each time, and has users of one namespace only, too."""
    writes = [write(("length", signal("concise", NOW_MS)), user=n.to_bytes(16, "big")) for n in range(300)]
    store_writes(redis_url, "live", *writes[:200])
    store_writes(redis_url, "shadow", *writes[100:])

    def sampled(size: int) -> Difference:
        return compare(client, KEYS, "live", "shadow", Terms(sample=size))

    found = sampled(30)
    assert found.both + found.only_first + found.only_second == 30
    assert min(found.both, found.only_first, found.only_second) > 0
    assert asdict(found) == asdict(sampled(30))
    assert sampled(1000).both == 100


def test_pin_is_the_cause_of_a_difference(two: str, client: RedisClient) -> None:
    """The gate holds in both namespaces."""
    store_writes(two, "live", pin("length", "concise", NOW_MS, user=CYD))
    assert compare(client, KEYS, "live", "shadow").causes["pin"] == 1  # type: ignore[index]  # a StrEnum is its text


def test_invalid_signals_are_counted_and_not_compared(two: str, redis_client: redis.Redis, client: RedisClient) -> None:
    """Keys of another type, invalid JSON, and an opt-out in one namespace."""
    live, shadow = KEYS.within("live"), KEYS.within("shadow")
    redis_client.hset(live.signals(ADA), "tone", "{")
    redis_client.hset(shadow.signals(CYD), "_status", "opted_out")
    redis_client.delete(live.signals(BOB))
    redis_client.set(live.signals(BOB), "no hash")
    found = compare(client, KEYS, "live", "shadow")
    assert (found.unreadable, found.opted_out_in_one, found.both, found.only_second) == (1, 1, 2, 2)
    assert (found.same, found.causes["consent"]) == (0, 1)  # type: ignore[index]  # a StrEnum is its text
