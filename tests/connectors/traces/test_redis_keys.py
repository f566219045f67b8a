"""Byte search in Redis: keys and values of each type, with the rights of an auditor."""

import json

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.traces import needles_of
from connectors.traces.redis_keys import KEYS_AT_ONCE, find_redis_traces
from tacit.contract.keys import RegionKeys

KEYS = RegionKeys("eu")
NEEDLES = needles_of("ada.lovelace", b"0123456789abcdef")
HEX = NEEDLES.user.hex()


@pytest.fixture
def client(redis_url: str) -> RedisClient:
    return RedisClient(redis_url)


def found(client: RedisClient) -> list[tuple[str, str]]:
    return sorted((trace.place, trace.kind) for trace in find_redis_traces(client, "eu", NEEDLES))


def test_keys_of_all_namespaces_are_searched(client: RedisClient, redis_client: redis.Redis) -> None:
    """Those of another region are not."""
    user = NEEDLES.user
    keys = [KEYS.gate(user), KEYS.within("live").signals(user), KEYS.within("trial-2").signals(user)]
    redis_client.set(keys[0], "x")
    for key in keys[1:]:
        redis_client.hset(key, "tone", "{}")
    redis_client.set(RegionKeys("us").gate(user), "x")
    assert found(client) == sorted((key, "pseudonym") for key in keys)


def test_values_of_each_type_are_searched(client: RedisClient, redis_client: redis.Redis) -> None:
    live = KEYS.within("live")
    redis_client.hset(live.defaults, "tone", f'{{"by":"{HEX}"}}')
    redis_client.set(live.population_version(7), "ada.lovelace")
    redis_client.sadd(KEYS.namespaces, HEX)
    redis_client.set(KEYS.active, json.dumps("nobody"))
    redis_client.xadd(live.changes, {"users": f"k1.0,k1.{HEX}"})
    assert found(client) == [
        (KEYS.namespaces, "pseudonym"),
        (live.changes, "pseudonym"),
        (live.defaults, "pseudonym"),
        (live.population_version(7), "id"),
    ]


def test_value_of_another_type_is_reported(client: RedisClient, redis_client: redis.Redis) -> None:
    """Another program wrote a list, or a hash in place of a string."""
    redis_client.lpush(KEYS.active, "ada.lovelace")
    redis_client.hset(KEYS.check, "who", "ada.lovelace")
    assert found(client) == [(KEYS.active, "unreadable"), (KEYS.check, "id")]


def test_status_of_a_no_is_a_tombstone(client: RedisClient, redis_client: redis.Redis) -> None:
    """It is a part of the user's no, and holds nothing that was learned."""
    key = KEYS.within("live").signals(NEEDLES.user)
    redis_client.hset(key, "_status", '{"v":"1","status":"opted_out"}')
    assert found(client) == [(key, "tombstone")]
    redis_client.hset(key, "tone", "{}")
    assert found(client) == [(key, "pseudonym")]


@pytest.mark.parametrize(
    ("actions", "changes", "kind"),
    [
        ('{"at_ms":1,"action":"forget"},{"at_ms":2,"action":"consent"}', "", "tombstone"),
        ('{"at_ms":1,"action":"pin","facet":"tone","value":"formal"}', "", "pseudonym"),
        ("", '{"at_ms":1,"facet":"tone","from":null,"to":"formal","source":"learned"}', "pseudonym"),
    ],
)
def test_history_of_forgets_is_a_tombstone(
    client: RedisClient, redis_client: redis.Redis, actions: str, changes: str, kind: str
) -> None:
    version = "1795297433438-0000000001"
    redis_client.set(KEYS.history(NEEDLES.user), f'{{"v":"{version}","actions":[{actions}],"changes":[{changes}]}}')
    assert found(client) == [(KEYS.history(NEEDLES.user), kind)]


def test_id_in_a_key_is_not_repeated(client: RedisClient, redis_client: redis.Redis) -> None:
    redis_client.set("tacit:v1:eu:{ada.lovelace}:gate", "x")
    assert found(client) == [("tacit:v1:eu:{…}:gate", "id")]


def test_many_keys_are_searched(client: RedisClient, redis_client: redis.Redis) -> None:
    """In several pipelines."""
    users = [number.to_bytes(16, "big") for number in range(2 * KEYS_AT_ONCE)]
    redis_client.mset({KEYS.gate(user): "x" for user in users} | {KEYS.gate(NEEDLES.user): "x"})
    assert found(client) == [(KEYS.gate(NEEDLES.user), "pseudonym")]
