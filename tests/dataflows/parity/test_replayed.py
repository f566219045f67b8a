"""Signals in memory against Redis: the same writes leave the same fields."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from hypothesis import HealthCheck, given, settings

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from dataflows.parity.replayed import ReplayedUsers
from state.counters import SinkCounters
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import SIGNAL_TTL_MS
from tacit_lab.embedded import EmbeddedRedis
from tests.support.sample_signals import DAY_MS, NOW_MS, USER, signal, write
from tests.support.user_histories import Step, history_of, steps

KEYS = RegionKeys("eu")
SIGNALS = KEYS.within("live").signals(USER)


@pytest.fixture(scope="module")
def writer(redis_server: EmbeddedRedis) -> Iterator[SignalWriter]:
    with closing(SignalWriter(Target(redis_server.url, "eu"), SinkCounters())) as opened:
        yield opened


def _in_redis(client: redis.Redis) -> dict[bytes, bytes]:
    return {str(name).encode(): str(content).encode() for name, content in client.hgetall(SIGNALS).items()}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taken=steps)
def test_fields_are_those_of_redis(writer: SignalWriter, redis_client: redis.Redis, taken: list[Step]) -> None:
    """After each write of a history, through wipes, opt-outs and forgets of facets."""
    redis_client.delete(SIGNALS, KEYS.gate(USER))
    users = ReplayedUsers(SIGNAL_TTL_MS)
    for each in history_of(taken):
        writer.write([each])
        users.apply([each])
        assert users.fields(USER) == _in_redis(redis_client)


def test_expired_signal_is_left_out(writer: SignalWriter, redis_client: redis.Redis) -> None:
    """Redis does not store it either; without a time to live, it stays."""
    redis_client.delete(SIGNALS, KEYS.gate(USER))
    old = write(("length", signal("concise", NOW_MS - 31 * DAY_MS)))
    users, unlimited = ReplayedUsers(30 * DAY_MS), ReplayedUsers(None)
    writer.write([old])
    users.apply([old])
    unlimited.apply([old])
    assert users.fields(USER) == _in_redis(redis_client) == {}
    assert list(unlimited.fields(USER)) == [b"length"]
