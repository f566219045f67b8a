"""Feed of changes on a real Redis: each live batch announces the users that it may have changed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import redis
import structlog
from structlog.typing import EventDict

from connectors.redis import change_feed
from connectors.redis.signal_writer import PIPELINE_WRITES, SignalWriter
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import DAY_MS, FEED_ENTRIES, FEED_MS
from tacit.contract.pseudonyms import pseudonym_text
from tests.support.feeds import announced
from tests.support.gates import opt_out
from tests.support.sample_signals import NOW_MS, USER, signal, write

KEYS = RegionKeys("eu")
LIVE = KEYS.within("live")
LENGTH = write(("length", signal("concise", NOW_MS)))
BOB = bytes(16)


@pytest.fixture
def counters() -> SinkCounters:
    return SinkCounters()


@pytest.fixture
def writer(redis_url: str, counters: SinkCounters) -> Iterator[SignalWriter]:
    with closing(SignalWriter(Target(redis_url, "eu", retry_for_s=5.0), counters)) as opened:
        yield opened


def names(*users: bytes) -> list[str]:
    return [pseudonym_text(user) for user in users]


def test_batch_announces_each_user_once(writer: SignalWriter, redis_client: redis.Redis) -> None:
    """One entry in all, for signals and gates."""
    writer.write([LENGTH, opt_out(NOW_MS, user=BOB), write(("tone", signal("formal", NOW_MS)))])
    assert announced(redis_client, LIVE.changes) == [names(USER, BOB)]


def test_each_pipeline_announces_its_users(writer: SignalWriter, redis_client: redis.Redis) -> None:
    users = [number.to_bytes(16, "big") for number in range(2 * PIPELINE_WRITES + 1)]
    writer.write([LENGTH._replace(user=user) for user in users])
    found = announced(redis_client, LIVE.changes)
    assert [len(each) for each in found] == [PIPELINE_WRITES, PIPELINE_WRITES, 1]
    assert [name for each in found for name in each] == names(*users)


def test_blocked_signals_are_not_announced(writer: SignalWriter, redis_client: redis.Redis) -> None:
    """The user denied the use, and another write is ahead of the clock."""
    writer.write([opt_out(NOW_MS)])
    ahead = write(("length", signal("concise", NOW_MS + DAY_MS)), user=BOB)
    writer.write([LENGTH, ahead])
    assert announced(redis_client, LIVE.changes) == [names(USER)]


@pytest.mark.parametrize("change", [LENGTH, opt_out(NOW_MS)])
def test_repeated_write_is_announced_again(redis_url: str, redis_client: redis.Redis, change: object) -> None:
    """A worker may end between the write and its entry; after the restart the write changes nothing any more."""
    for _ in range(2):
        with closing(SignalWriter(Target(redis_url, "eu"), SinkCounters())) as writer:
            writer.write([change])  # type: ignore[list-item]  # one of two kinds of writes
    assert announced(redis_client, LIVE.changes) == 2 * [names(USER)]


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.FILL])
def test_history_is_not_announced(redis_url: str, redis_client: redis.Redis, mode: Mode) -> None:
    with closing(SignalWriter(replace(Target(redis_url, "eu"), mode=mode), SinkCounters())) as writer:
        writer.write([LENGTH])
    assert not redis_client.exists(LIVE.changes)


@pytest.fixture
def records() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as found:
        yield found


def test_no_of_a_user_needs_no_memory(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis, records: list[EventDict]
) -> None:
    """Out of memory, Redis takes gates and no entries; the next entry has the users of before."""
    carol = b"c" * 16
    writer.write([LENGTH, LENGTH._replace(user=BOB), LENGTH._replace(user=carol)])
    redis_client.config_set("maxmemory", 1)
    writer.write([opt_out(NOW_MS)])
    writer.write([opt_out(NOW_MS, user=BOB)])
    redis_client.config_set("maxmemory", 0)
    assert redis_client.hkeys(LIVE.signals(USER)) == ["_status"]
    assert (counters.gates, counters.retries, counters.unannounced) == (2, 0, 2)
    writer.write([opt_out(NOW_MS, user=carol)])
    assert announced(redis_client, LIVE.changes) == [names(USER, BOB, carol), names(USER, BOB, carol)]
    events = [(record["event"], record.get("code")) for record in records]
    assert events == [("change_feed.failed", "OOM"), ("change_feed.recovered", None)]


def test_foreign_key_does_not_stop_writes(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    redis_client.set(LIVE.changes, "no stream")
    writer.write([LENGTH])
    assert (counters.applied, counters.unannounced) == (1, 1)


def test_feed_is_bounded_in_number_and_age(
    writer: SignalWriter, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries of another day go with the next entry, and the rest with the feed."""
    redis_client.xadd(LIVE.changes, {"users": "k1.old"}, id=f"{NOW_MS - DAY_MS}-0")
    writer.write([LENGTH])
    assert announced(redis_client, LIVE.changes) == [names(USER)]
    assert 0 < redis_client.pttl(LIVE.changes) <= FEED_MS
    with redis_client.pipeline() as pipeline:
        for _ in range(FEED_ENTRIES + 1000):
            pipeline.xadd(LIVE.changes, {"users": "k1.other"})
        pipeline.execute()
    writer.write([LENGTH])
    assert FEED_ENTRIES <= redis_client.xlen(LIVE.changes) < FEED_ENTRIES + 200  # whole nodes are dropped
    assert announced(redis_client, LIVE.changes)[-1] == names(USER)


def test_users_that_wait_are_limited(
    writer: SignalWriter, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "MOST_WAITING", 2)
    redis_client.set(LIVE.changes, "no stream")
    writer.write([opt_out(NOW_MS, user=bytes([number]) * 16) for number in range(5)])
    redis_client.delete(LIVE.changes)
    writer.write([LENGTH])
    assert announced(redis_client, LIVE.changes) == [names(b"\3" * 16, b"\4" * 16, USER)]
