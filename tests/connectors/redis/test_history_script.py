"""history.lua on a real Redis: the newest history of a user, in any order of writes, never one from before a wipe."""

from collections.abc import Iterator
from contextlib import closing
from itertools import permutations

import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.user.writes import StoredHistory, Write
from tacit.contract.history import Action, History, encode_history
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import DAY_MS
from tacit.contract.versions import version
from tests.support.gates import forget, opt_in, opt_out, pin
from tests.support.sample_signals import HOUR_MS, NOW_MS, USER, signal, write

KEYS = RegionKeys("eu")
HISTORY, GATE = KEYS.history(USER), KEYS.gate(USER)
T1, T2, T3 = (NOW_MS - HOUR_MS + 1000 * step for step in range(3))
LENGTH = write(("length", signal("concise", T1)))


@pytest.fixture
def counters() -> SinkCounters:
    return SinkCounters()


@pytest.fixture
def writer(redis_url: str, counters: SinkCounters) -> Iterator[SignalWriter]:
    with closing(SignalWriter(Target(redis_url, "eu", retry_for_s=1.0), counters)) as opened:
        yield opened


def history(at_ms: int, count: int = 1) -> StoredHistory:
    actions = (Action(at_ms=at_ms, action="forget"),)
    return StoredHistory(at_ms, encode_history(History(version(at_ms, count), actions)))


def stored(client: redis.Redis) -> str:
    return str(client.get(HISTORY))


@pytest.mark.parametrize("order", [*permutations([(T1, 1), (T1, 2), (T2, 1)])])
def test_newest_history_stays(
    writer: SignalWriter, redis_client: redis.Redis, order: tuple[tuple[int, int], ...]
) -> None:
    """In any order, with repeats, by signals or gates."""
    for number, (at_ms, count) in enumerate(order):
        carrier: Write = LENGTH if number % 2 else opt_in(T1)
        writer.write(2 * [carrier._replace(history=history(at_ms, count))])
    assert stored(redis_client) == history(T2, 1).content.decode()
    assert redis_client.pttl(HISTORY) == pytest.approx(30 * DAY_MS, abs=2 * HOUR_MS)


def test_history_from_before_a_wipe_never_returns(writer: SignalWriter, redis_client: redis.Redis) -> None:
    """Not even after the newer history has expired."""
    writer.write([forget(T2)._replace(history=history(T2))])
    redis_client.delete(HISTORY)
    writer.write([LENGTH._replace(history=history(T1)), opt_in(T1)._replace(history=history(T1))])
    assert not redis_client.exists(HISTORY)


def test_newer_wipe_replaces_any_history(writer: SignalWriter, redis_client: redis.Redis) -> None:
    """A worker with a new state folder knows no time of the stored one."""
    writer.write([LENGTH._replace(history=history(T3))])
    writer.write(2 * [forget(T2)._replace(history=history(T2))])
    assert stored(redis_client) == history(T2).content.decode()


def test_expired_history_replaces_none_and_ends_the_stored_one(writer: SignalWriter, redis_client: redis.Redis) -> None:
    writer.write([LENGTH._replace(history=history(T1))])
    late = StoredHistory(NOW_MS - 31 * DAY_MS, history(T2).content)
    writer.write([LENGTH._replace(history=late)])
    assert not redis_client.exists(HISTORY)


def test_history_of_a_denied_user_is_written(writer: SignalWriter, redis_client: redis.Redis) -> None:
    """It has the "no"."""
    writer.write([opt_out(T1)._replace(history=history(T1))])
    assert stored(redis_client) == history(T1).content.decode()


def test_history_without_memory_fails_no_gate(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """Redis allows what follows a deletion."""
    writer.write([LENGTH._replace(history=history(T1))])
    redis_client.config_set("maxmemory", 1)
    try:
        writer.write([forget(T2)._replace(history=history(T2))])
    finally:
        redis_client.config_set("maxmemory", 0)
    assert stored(redis_client) == history(T2).content.decode()
    assert (counters.gates, counters.retries) == (1, 0)


def test_key_of_another_program_is_replaced(writer: SignalWriter, redis_client: redis.Redis) -> None:
    redis_client.hset(HISTORY, "who", "else")
    writer.write([pin("tone", "formal", T1)._replace(history=history(T1))])
    assert stored(redis_client) == history(T1).content.decode()


def test_carrier_without_fields_writes_the_history_alone(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """As of a user with neither a signal nor a gate that waits."""
    writer.write([LENGTH._replace(fields=(), history=history(T1))])
    assert redis_client.exists(HISTORY, GATE, KEYS.within("live").signals(USER)) == 1
    assert (counters.applied, counters.stale, counters.gated) == (0, 0, 0)
