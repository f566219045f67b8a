"""connectors/redis/tally: signals by facet and tier."""

from contextlib import closing

import redis

from connectors.redis.client import RedisClient
from connectors.redis.tally import tally
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import encode
from tests.support.sample_signals import NOW_MS, USER, profile, signal

KEYS = RegionKeys("eu")
OTHER = bytes(16)


def test_signals_count_by_facet_and_tier(redis_url: str, redis_client: redis.Redis) -> None:
    """Profiles, unreadable fields, other namespaces and keys of another type do not count."""
    shadow = KEYS.within("shadow")
    hint, apply = encode(signal("concise", NOW_MS, tier="hint")), encode(signal("warm", NOW_MS))
    redis_client.hset(shadow.signals(USER), mapping={"tone": apply, "length": hint})
    redis_client.hset(shadow.signals(USER), "_profile", encode(profile(NOW_MS)))
    redis_client.hset(shadow.signals(OTHER), mapping={"tone": apply, "emoji": b"{"})
    redis_client.hset(KEYS.within("live").signals(USER), "tone", hint)
    redis_client.set(shadow.signals(b"\1" * 16), "a text")
    with closing(RedisClient(redis_url)) as client:
        assert tally(client, KEYS, "shadow") == {"length": {"hint": 1}, "tone": {"apply": 2}}
