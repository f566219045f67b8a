"""tacit/reader/changes: each announced user is read once, and a reader that may have missed one learns that."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit import Changed, ChangeReader, RegionKeys, pseudonym_text
from tacit.reader.round_trips import Command, Reply
from tests.support.redis_faults import FragileRedis
from tests.support.sample_signals import NOW_MS, signal, write

KEYS = RegionKeys("eu")
LIVE = KEYS.within("live")
MISSED = Changed(frozenset(), missed=True)


def announce(url: str, *numbers: int) -> frozenset[str]:
    """Write the signals of users as a live run does, and return the pseudonyms."""
    users = [number.to_bytes(16, "big") for number in numbers]
    with closing(SignalWriter(Target(url, "eu"), SinkCounters())) as writer:
        writer.write([write(("length", signal("concise", NOW_MS)), user=user) for user in users])
    return frozenset(map(pseudonym_text, users))


@pytest.fixture
def reader(redis_url: str) -> Iterator[ChangeReader]:
    with closing(ChangeReader(redis_url, region="eu")) as found:
        assert found.poll() is None
        yield found


def test_users_of_a_batch_are_read_once(reader: ChangeReader, redis_url: str) -> None:
    """Those from before the first poll are not read."""
    assert reader.poll() is None
    users = announce(redis_url, 1, 2)
    assert reader.poll() == Changed(users)
    assert reader.poll() is None
    announce(redis_url, 3)
    with closing(ChangeReader(redis_url, region="eu")) as later:
        assert later.poll() is None
        assert later.poll() is None
    assert reader.poll() is not None


def test_long_feed_is_read_in_pages(reader: ChangeReader, redis_client: redis.Redis) -> None:
    """Each entry once; the beginning skips all of them."""
    for number in range(250):
        redis_client.xadd(LIVE.changes, {"users": f"k1.{number:032x}"})
    found: list[str] = []
    while changed := reader.poll():
        assert not changed.missed
        found += changed.users
    assert sorted(found) == [f"k1.{number:032x}" for number in range(250)]


def test_trimmed_feed_has_missed_changes(reader: ChangeReader, redis_client: redis.Redis) -> None:
    """An entry that was read may be gone; one that was not read may be, too."""
    redis_client.xadd(LIVE.changes, {"users": "k1.1"})
    assert reader.poll() == Changed(frozenset({"k1.1"}))
    redis_client.xadd(LIVE.changes, {"users": "k1.2"})
    redis_client.xadd(LIVE.changes, {"users": "k1.3"}, maxlen=1, approximate=False)
    assert reader.poll() == MISSED
    assert reader.poll() is None


def test_entry_that_is_lost_during_a_poll_is_missed(
    reader: ChangeReader, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis trims the feed between two commands of the round trip."""
    redis_client.xadd(LIVE.changes, {"users": "k1.1"})
    assert reader.poll() == Changed(frozenset({"k1.1"}))
    for number in (2, 3):
        redis_client.xadd(LIVE.changes, {"users": f"k1.{number}"})
    execute = reader._transport.execute

    def trimmed(commands: Sequence[Command]) -> list[Reply]:
        replies = execute(commands[:-1])
        redis_client.xtrim(LIVE.changes, maxlen=1, approximate=False)
        return [*replies, *execute(commands[-1:])]

    monkeypatch.setattr(reader._transport, "execute", trimmed)
    assert reader.poll() == MISSED


def test_promoted_namespace_is_followed(reader: ChangeReader, redis_client: redis.Redis) -> None:
    """All values may be others then."""
    redis_client.xadd(KEYS.within("next").changes, {"users": "k1.1"})
    redis_client.set(KEYS.active, "next")
    assert reader.poll() == MISSED
    redis_client.xadd(KEYS.within("next").changes, {"users": "k1.2"})
    assert reader.poll() == Changed(frozenset({"k1.2"}))
    redis_client.set(KEYS.active, "\nno name")
    assert reader.poll() is None


def test_given_namespace_stays(redis_url: str, redis_client: redis.Redis) -> None:
    """As with a reader of signals."""
    with closing(ChangeReader(redis_url, region="eu", namespace="next")) as reader:
        reader.poll()
        redis_client.set(KEYS.active, "other")
        redis_client.xadd(KEYS.within("next").changes, {"users": "k1.1"})
        assert reader.poll() == Changed(frozenset({"k1.1"}))


def test_unreadable_entries_are_skipped(reader: ChangeReader, redis_client: redis.Redis) -> None:
    """And the next one is read."""
    redis_client.xadd(LIVE.changes, {b"users": b"\xff"})
    redis_client.xadd(LIVE.changes, {"users": "k1.1"})
    changed = reader.poll()
    assert changed is not None
    assert "k1.1" in changed.users
    redis_client.delete(LIVE.changes)
    redis_client.set(LIVE.changes, "no stream")
    assert reader.poll() is None


def test_outage_has_missed_changes(tmp_path: Path) -> None:
    """As the feed may be trimmed meanwhile."""
    server = FragileRedis(tmp_path)
    try:
        with closing(ChangeReader(server.url, region="eu")) as reader:
            assert reader.poll() is None
            server.kill()
            assert reader.poll() is None
            server.start()
            assert [reader.poll(), reader.poll()] == [MISSED, None]
    finally:
        server.kill()
