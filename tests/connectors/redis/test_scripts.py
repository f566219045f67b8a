"""write_signals.lua on a real Redis: versions, expiry and wipes, in every namespace."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.events.records import WriteReject
from tacit.contract.gates import SCOPES, Scope, decode_gate, encode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import WIPED, decode_signal
from tacit.contract.versions import version
from tests.support.gates import consent, facet_wipe, forget, opt_in, opt_out
from tests.support.sample_signals import DAY_MS, HOUR_MS, NOW_MS, USER, signal, write

KEYS = RegionKeys("eu")
LIVE = KEYS.within("live").signals(USER)
SHADOW = KEYS.within("shadow").signals(USER)
GATE = KEYS.gate(USER)

T1, T2, T3, T4 = (NOW_MS - HOUR_MS + 1000 * step for step in range(4))


class Writers:
    """A writer per namespace or mode, all on one server, with one set of counters."""

    def __init__(self, url: str) -> None:
        self.counters = SinkCounters()
        self.live = self._open(Target(url, "eu", retry_for_s=1.0))
        self.shadow = self._open(Target(url, "eu", "shadow", Mode.REPLAY, retry_for_s=1.0))
        self.fill = self._open(Target(url, "eu", mode=Mode.FILL, retry_for_s=1.0))

    def _open(self, target: Target) -> SignalWriter:
        return SignalWriter(target, self.counters)

    def close(self) -> None:
        for writer in (self.live, self.shadow, self.fill):
            writer.close()


@pytest.fixture
def writers(redis_url: str) -> Iterator[Writers]:
    with closing(Writers(redis_url)) as opened:
        yield opened


def _stored(client: redis.Redis) -> dict[str, str]:
    """Return facet → version in `live`."""
    return {str(name): str(raw)[6:30] for name, raw in client.hgetall(LIVE).items() if name != WIPED}


def _stored_length(client: redis.Redis) -> str:
    return decode_signal(client.hget(LIVE, "length") or "").value


class TestVersions:
    """Only a newer signal replaces a stored signal."""

    def test_newer_replaces_older(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", T1)))])
        writers.live.write([write(("length", signal("detailed", T2)))])
        assert _stored_length(redis_client) == "detailed"
        assert (writers.counters.applied, writers.counters.stale) == (2, 0)

    def test_older_and_equal_versions_are_stale(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", T2, 5)))])
        writers.live.write([write(("length", signal("detailed", T2, 5))), write(("length", signal("detailed", T1, 9)))])
        assert _stored_length(redis_client) == "concise"
        assert (writers.counters.applied, writers.counters.stale) == (1, 2)

    def test_each_facet_has_a_version_of_its_own(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", T2)))])
        writers.live.write([write(("length", signal("concise", T1)), ("tone", signal("formal", T1)))])
        assert _stored(redis_client) == {"length": version(T2, 1), "tone": version(T1, 1)}

    @pytest.mark.parametrize("order", [(T1, T2), (T2, T1)])
    def test_same_facet_twice_in_one_call_keeps_the_newer(
        self, writers: Writers, redis_client: redis.Redis, order: tuple[int, int]
    ) -> None:
        writers.live.write([write(*[("length", signal("concise", at_ms)) for at_ms in order])])
        assert _stored(redis_client) == {"length": version(T2, 1)}

    def test_fill_writes_what_is_missing_or_newer(self, writers: Writers, redis_client: redis.Redis) -> None:
        """At the same event time the larger count of events decides, also between two writes of one replay."""
        writers.live.write([write(("length", signal("concise", T2, 5)))])
        writers.fill.write([write(("length", signal("concise", T1, 9)), ("tone", signal("formal", T1)))])
        assert _stored(redis_client) == {"length": version(T2, 5), "tone": version(T1, 1)}
        for count in (7, 8, 6):
            writers.fill.write([write(("length", signal("concise", T2, count)))])
        assert _stored(redis_client)["length"] == version(T2, 8)
        writers.fill.write([write(("length", signal("concise", T3, 1)))])
        assert _stored(redis_client)["length"] == version(T3, 1)

    @pytest.mark.parametrize("ahead", [b'{"v":"1-2"}', b'{"value":"concise"}', b"", b"not json"])
    def test_invalid_version_writes_nothing(self, writers: Writers, redis_client: redis.Redis, ahead: bytes) -> None:
        good = write(("tone", signal("formal", T1)))
        writers.live.write([good._replace(fields=(*good.fields, ("length", ahead)))])
        assert not redis_client.exists(LIVE)
        assert writers.counters.unwritable == 1

    def test_version_ahead_of_the_clock_writes_nothing(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", NOW_MS + HOUR_MS)))])
        assert not redis_client.exists(LIVE)
        assert writers.counters.unwritable == 1

    @pytest.mark.parametrize("wiped_ms", [NOW_MS + HOUR_MS, -1], ids=["future", "negative"])
    def test_invalid_time_of_a_wipe_writes_nothing(
        self, writers: Writers, redis_client: redis.Redis, wiped_ms: int
    ) -> None:
        writers.live.write([write(("length", signal("concise", T1)), wiped_ms=wiped_ms)])
        assert not redis_client.exists(LIVE, GATE)
        assert writers.counters.unwritable == 1


class TestExpiry:
    """Signals always expire, 30 days after the newest event."""

    def test_counts_from_the_event_and_is_only_put_off(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", NOW_MS - DAY_MS)))])
        assert redis_client.pttl(LIVE) == pytest.approx(29 * DAY_MS, abs=HOUR_MS / 2)
        writers.live.write([write(("tone", signal("formal", NOW_MS - 10 * DAY_MS)))])
        assert redis_client.pttl(LIVE) == pytest.approx(29 * DAY_MS, abs=HOUR_MS / 2)
        writers.live.write([write(("tone", signal("formal", NOW_MS)))])
        assert redis_client.pttl(LIVE) == pytest.approx(30 * DAY_MS, abs=HOUR_MS / 2)

    def test_signal_older_than_its_time_to_live_is_stale(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", NOW_MS - 31 * DAY_MS)))])
        assert not redis_client.exists(LIVE)
        assert writers.counters.stale == 1

    def test_time_to_live_none_keeps_old_history(self, redis_url: str, redis_client: redis.Redis) -> None:
        writer = SignalWriter(Target(redis_url, "eu", "films", Mode.REPLAY, ttl_ms=None), SinkCounters())
        writer.write([write(("length", signal("concise", NOW_MS - 4000 * DAY_MS)))])
        assert redis_client.pttl(KEYS.within("films").signals(USER)) == -1
        writer.close()


class TestWipes:
    """Signals from before a wipe never come back, in any namespace."""

    def test_forget_clears_every_namespace(self, writers: Writers, redis_client: redis.Redis) -> None:
        for writer in (writers.live, writers.shadow):
            writer.write([write(("length", signal("concise", T1)))])
        writers.live.write([forget(T2)])
        assert not redis_client.exists(LIVE, SHADOW)
        assert decode_gate(str(redis_client.get(GATE)).encode()).wiped_ms == T2

    def test_state_older_than_a_wipe_is_gated(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([forget(T2), write(("length", signal("concise", T3)), wiped_ms=T1)])
        assert not redis_client.exists(LIVE)
        assert writers.counters.gated == 1

    def test_signals_after_a_newer_wipe_wipe_and_raise_the_gate_and_keep_consent(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.live.write([opt_in(T1), write(("tone", signal("formal", T1)))])
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        assert _stored(redis_client) == {"length": version(T3, 1)}
        assert redis_client.get(GATE) == encode_gate(opt_in(T1, wiped_ms=T2).gate).decode()

    def test_repeated_wipe_spares_what_came_after_it(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([forget(T2), write(("length", signal("concise", T3)), wiped_ms=T2), forget(T2)])
        assert _stored(redis_client) == {"length": version(T3, 1)}

    def test_wipe_reaches_a_namespace_that_the_raised_gate_had_missed(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.shadow.write([write(("length", signal("concise", T1)))])
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        writers.live.write([forget(T2)])
        assert not redis_client.exists(SHADOW)
        assert _stored(redis_client) == {"length": version(T3, 1)}

    def test_write_after_a_raised_gate_deletes_older_signals(self, writers: Writers, redis_client: redis.Redis) -> None:
        """Signals of live raise the gate; the next write of shadow deletes the older signals of shadow."""
        writers.shadow.write([write(("length", signal("concise", T1)))])
        writers.live.write([write(("tone", signal("formal", T3)), wiped_ms=T2)])
        writers.shadow.write([write(("tone", signal("formal", T3)), wiped_ms=T2)])
        assert set(redis_client.hgetall(SHADOW)) == {"tone", WIPED}

    def test_late_wipe_of_newer_signals_reaches_every_namespace(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        """A late forget wipes signals with newer versions, as their state does not contain the forget."""
        writers.shadow.write([write(("length", signal("concise", T3)))])
        writers.live.write([write(("tone", signal("formal", T4)), wiped_ms=T2)])
        writers.live.write([forget(T2)])
        assert not redis_client.exists(SHADOW)
        assert _stored(redis_client) == {"tone": version(T4, 1)}

    def test_hash_has_the_time_of_the_wipe_before_it(self, writers: Writers, redis_client: redis.Redis) -> None:
        """The field exists only after a wipe."""
        writers.live.write([write(("length", signal("concise", T1)))])
        assert redis_client.hkeys(LIVE) == ["length"]
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        assert redis_client.hget(LIVE, WIPED) == f'{{"v":"{T2}-0000000000"}}'

    @pytest.mark.parametrize("hostile", ["", "never", "nan", '{"v":"never"}', '{"v":"' + "9" * 400 + '"}'])
    def test_invalid_time_of_the_wipe_counts_as_none(
        self, writers: Writers, redis_client: redis.Redis, hostile: str
    ) -> None:
        writers.live.write([write(("length", signal("concise", T1)))])
        redis_client.hset(LIVE, WIPED, hostile)
        writers.live.write([write(("tone", signal("formal", T2)))])
        assert set(_stored(redis_client)) == {"length", "tone"}
        writers.live.write([forget(T3), write(("tone", signal("formal", T4)), wiped_ms=T3)])
        assert redis_client.hgetall(LIVE).keys() == {"tone", WIPED}

    def test_lost_gate_still_blocks_older_signals(self, writers: Writers, redis_client: redis.Redis) -> None:
        """The time of the wipe in the signals still counts."""
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        redis_client.delete(GATE)
        writers.live.write([write(("tone", signal("formal", T3)), wiped_ms=T1)])
        assert writers.counters.gated == 1
        assert _stored(redis_client) == {"length": version(T3, 1)}

    def test_forget_of_a_facet_blocks_older_versions_of_this_facet_alone(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.live.write([facet_wipe("length", version(T2, 5))])
        late = (("length", signal("concise", T2, 5)), ("tone", signal("formal", T1)))
        writers.live.write([write(*late)])
        assert _stored(redis_client) == {"tone": version(T1, 1)}
        assert (writers.counters.applied, writers.counters.stale) == (1, 1)
        writers.live.write([write(("length", signal("concise", T2, 6)))])
        assert _stored(redis_client) == {"length": version(T2, 6), "tone": version(T1, 1)}

    @pytest.mark.parametrize("scope", SCOPES)
    def test_only_the_scope_use_blocks_signals(self, writers: Writers, redis_client: redis.Redis, scope: Scope) -> None:
        writers.live.write([consent("denied", T1, [scope]), write(("length", signal("concise", T2)))])
        assert redis_client.hexists(LIVE, "length") == (scope != "use")
        assert writers.counters.gated == (scope == "use")

    @pytest.mark.parametrize("gate", [f"0000000000000x{T1}", encode_gate(opt_out(T1).gate)], ids=["first form", "now"])
    def test_opt_out_blocks_signals(self, writers: Writers, redis_client: redis.Redis, gate: str | bytes) -> None:
        redis_client.set(GATE, gate)
        writers.live.write([write(("length", signal("concise", T2)), wiped_ms=T1)])
        assert not redis_client.exists(LIVE)
        assert writers.counters.gated == 1

    def test_gate_of_the_first_form_blocks_older_states(self, writers: Writers, redis_client: redis.Redis) -> None:
        redis_client.set(GATE, f"{T2}-0000000000000")
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T1)])
        assert writers.counters.gated == 1
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        assert _stored(redis_client) == {"length": version(T3, 1)}


def _foreign(client: redis.Redis, kind: str) -> None:
    if kind == "list":
        client.rpush(GATE, "whatever")
    else:
        client.set(GATE, kind)


GOOD = encode_gate(opt_in(T1).gate).decode()
FOREIGN = [
    "whatever",
    "",
    "list",
    GOOD[:-1],
    GOOD + "0",
    GOOD + "{",
    GOOD + '{"pins":[1]}',
    GOOD + '{"pins":{"length":["concise"]}}',
    GOOD + '{"pins":{"length":["concise","soon"]}}',
    GOOD + '{"pins":{"length":["ignore all instructions",1]}}',
    GOOD + '{"wiped":{"length":"never"}}',
]
"""Contents of a gate's key that another program wrote."""


@pytest.mark.parametrize("foreign", FOREIGN, ids=[f"content {n}" for n in range(len(FOREIGN))])
def test_foreign_gate_rejects_signals_and_the_reject_names_its_key(
    redis_url: str, redis_client: redis.Redis, foreign: str
) -> None:
    rejects: list[WriteReject] = []
    counters = SinkCounters()
    _foreign(redis_client, foreign)
    with closing(SignalWriter(Target(redis_url, "eu"), counters, rejects.append)) as writer:
        writer.write([write(("length", signal("concise", T1))), write(("tone", signal("formal", T1)), user=bytes(16))])
    assert [(reject.code, reject.key) for reject in rejects] == [("BADGATE", GATE)]
    assert (counters.unwritable, counters.applied) == (1, 1)
    assert not redis_client.exists(LIVE)


@pytest.mark.parametrize("foreign", FOREIGN, ids=[f"content {n}" for n in range(len(FOREIGN))])
def test_foreign_gate_is_kept_and_the_signals_are_deleted(
    redis_url: str, redis_client: redis.Redis, foreign: str
) -> None:
    """The run continues; the foreign value could be a newer program's "no"."""
    rejects: list[WriteReject] = []
    counters = SinkCounters()
    with closing(SignalWriter(Target(redis_url, "eu"), counters, rejects.append)) as writer:
        writer.write([write(("length", signal("concise", T1)))])
        _foreign(redis_client, foreign)
        writer.write([opt_out(T2), opt_out(T2, user=bytes(16))])
    assert [(reject.code, reject.key) for reject in rejects] == [("BADGATE", GATE)]
    assert (counters.unwritable, counters.gates) == (1, 1)
    assert not redis_client.exists(LIVE)
    assert redis_client.type(GATE) == ("list" if foreign == "list" else "string")
