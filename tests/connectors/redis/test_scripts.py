"""The two scripts on a real Redis: versions, expiry, wipes and consent, in every namespace."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.errors import SinkError
from state.user.writes import GateWrite
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import WIPED, decode_signal
from tacit.contract.versions import version
from tests.support.sample_signals import DAY_MS, HOUR_MS, NOW_MS, USER, profile, signal, write

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


def _forget(at_ms: int) -> GateWrite:
    return GateWrite(USER, wiped_ms=at_ms, consent_at_ms=0, opted_out=False)


def _opt_out(at_ms: int) -> GateWrite:
    return GateWrite(USER, wiped_ms=at_ms, consent_at_ms=at_ms, opted_out=True)


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

    def test_fill_must_be_newer_in_event_time_not_only_in_count(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.live.write([write(("length", signal("concise", T2, 5)))])
        writers.fill.write([write(("length", signal("concise", T2, 9)), ("tone", signal("formal", T1)))])
        assert _stored(redis_client) == {"length": version(T2, 5), "tone": version(T1, 1)}
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
        with pytest.raises(SinkError, match="BADEPOCH"):  # the run ends rather than skip a wipe, and repeats it
            writers.live.write([_forget(wiped_ms)])
        assert not redis_client.exists(LIVE, GATE)
        assert writers.counters.unwritable == 1


class TestExpiry:
    """Signals expire 30 days after the newest event, and never while one of them is a pin."""

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

    def test_old_pin_does_not_expire(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", NOW_MS - 99 * DAY_MS, source="user")))])
        assert redis_client.pttl(LIVE) == -1

    def test_expiry_goes_with_the_first_pin_and_comes_back_with_the_last(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.live.write([write(("tone", signal("formal", T1)))])
        for facet in ("length", "format"):
            writers.live.write([write((facet, signal("concise", T2, source="user")))])
        assert redis_client.pttl(LIVE) == -1
        writers.live.write([write(("length", signal("concise", T3)))])
        assert redis_client.pttl(LIVE) == -1
        writers.live.write([write(("format", signal("prose", T3)))])
        assert redis_client.pttl(LIVE) == pytest.approx(30 * DAY_MS - HOUR_MS, abs=HOUR_MS / 2)

    def test_pin_is_deleted_when_its_replacement_has_expired(self, writers: Writers, redis_client: redis.Redis) -> None:
        for facet in ("length", "tone"):
            writers.live.write([write((facet, signal("concise", NOW_MS - 60 * DAY_MS, source="user")))])
        writers.live.write([write(("length", signal("balanced", NOW_MS - 50 * DAY_MS)))])
        assert list(_stored(redis_client)) == ["tone"]
        assert redis_client.pttl(LIVE) == -1
        writers.live.write([write(("tone", signal("neutral", NOW_MS - 50 * DAY_MS)))])
        assert not redis_client.exists(LIVE)

    def test_late_unpin_keeps_fresh_signals(self, writers: Writers, redis_client: redis.Redis) -> None:
        """An unpin of 50 days ago arrives today: other signals expire 30 days after their own events."""
        writers.live.write([write(("tone", signal("formal", T2)), ("length", signal("concise", T1, source="user")))])
        late = write(("length", signal("balanced", T3)))._replace(at_ms=NOW_MS - 50 * DAY_MS)
        writers.live.write([late])
        assert list(_stored(redis_client)) == ["tone"]
        assert redis_client.pttl(LIVE) == pytest.approx(30 * DAY_MS - HOUR_MS, abs=HOUR_MS / 2)

    def test_stale_pin_does_not_take_the_expiry(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("length", signal("concise", T2)))])
        writers.live.write([write(("length", signal("concise", T1, source="user")), ("_profile", profile(T1)))])
        assert redis_client.pttl(LIVE) > 0

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
        writers.live.write([_forget(T2)])
        assert not redis_client.exists(LIVE, SHADOW)
        assert redis_client.get(GATE) == f"{T2}-0000000000000"

    def test_state_older_than_a_wipe_is_gated(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([_forget(T2), write(("length", signal("concise", T3)), wiped_ms=T1)])
        assert not redis_client.exists(LIVE)
        assert writers.counters.gated == 1

    def test_signals_after_a_newer_wipe_wipe_and_raise_the_gate_and_keep_consent(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        consent = GateWrite(USER, wiped_ms=0, consent_at_ms=T1, opted_out=False)
        writers.live.write([consent, write(("tone", signal("formal", T1)))])
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        assert _stored(redis_client) == {"length": version(T3, 1)}
        assert redis_client.get(GATE) == f"{T2}-{T1}"

    def test_repeated_wipe_spares_what_came_after_it(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([_forget(T2), write(("length", signal("concise", T3)), wiped_ms=T2), _forget(T2)])
        assert _stored(redis_client) == {"length": version(T3, 1)}

    def test_wipe_reaches_a_namespace_that_the_raised_gate_had_missed(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.shadow.write([write(("length", signal("concise", T1)))])
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        writers.live.write([_forget(T2)])
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
        writers.live.write([_forget(T2)])
        assert not redis_client.exists(SHADOW)
        assert _stored(redis_client) == {"tone": version(T4, 1)}

    def test_hash_has_the_time_of_the_wipe_before_it(self, writers: Writers, redis_client: redis.Redis) -> None:
        """The field exists only after a wipe, and only next to other fields."""
        writers.live.write([write(("length", signal("concise", T1)))])
        assert redis_client.hkeys(LIVE) == ["length"]
        old_ms = NOW_MS - 60 * DAY_MS
        writers.live.write([write(("length", signal("concise", old_ms, source="user")), wiped_ms=T2)])
        assert redis_client.hget(LIVE, WIPED) == f'{{"v":"{T2}-0000000000"}}'
        writers.live.write([write(("length", signal("concise", old_ms + 1)), wiped_ms=T2)])
        assert not redis_client.exists(LIVE)

    @pytest.mark.parametrize("hostile", ["", "never", "nan", '{"v":"never"}', '{"v":"' + "9" * 400 + '"}'])
    def test_invalid_time_of_the_wipe_counts_as_none(
        self, writers: Writers, redis_client: redis.Redis, hostile: str
    ) -> None:
        writers.live.write([write(("length", signal("concise", T1)))])
        redis_client.hset(LIVE, WIPED, hostile)
        writers.live.write([write(("tone", signal("formal", T2)))])
        assert set(_stored(redis_client)) == {"length", "tone"}
        writers.live.write([_forget(T3), write(("tone", signal("formal", T4)), wiped_ms=T3)])
        assert redis_client.hgetall(LIVE).keys() == {"tone", WIPED}

    def test_lost_gate_still_blocks_older_signals(self, writers: Writers, redis_client: redis.Redis) -> None:
        """The time of the wipe in the signals still counts."""
        writers.live.write([write(("length", signal("concise", T3)), wiped_ms=T2)])
        redis_client.delete(GATE)
        writers.live.write([write(("tone", signal("formal", T3)), wiped_ms=T1)])
        assert writers.counters.gated == 1
        assert _stored(redis_client) == {"length": version(T3, 1)}

    def test_invalid_gate_rejects_signals_until_the_next_gate_write(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        redis_client.set(GATE, "whatever")
        writers.live.write([write(("length", signal("concise", T1)))])
        assert writers.counters.unwritable == 1
        writers.live.write([_forget(T2), write(("length", signal("concise", T3)), wiped_ms=T2)])
        assert _stored(redis_client) == {"length": version(T3, 1)}


class TestConsent:
    """An opted-out user has only a status, until a newer opt-in."""

    def test_opt_out_leaves_only_the_status_in_every_namespace(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        for writer in (writers.live, writers.shadow):
            writer.write([write(("length", signal("concise", T1)))])
        writers.live.write([_opt_out(T2), write(("length", signal("concise", T3)), wiped_ms=T2)])
        status = f'{{"v":"{T2}-0000000000","status":"opted_out"}}'
        assert redis_client.hgetall(LIVE) == redis_client.hgetall(SHADOW) == {"_status": status}
        assert redis_client.pttl(LIVE) == -1
        assert redis_client.get(GATE) == f"{T2}x{T2}"
        assert writers.counters.gated == 1

    def test_opt_in_removes_the_status(self, writers: Writers, redis_client: redis.Redis) -> None:
        opt_in = GateWrite(USER, wiped_ms=T2, consent_at_ms=T3, opted_out=False)
        writers.live.write([_opt_out(T2), opt_in])
        assert not redis_client.exists(LIVE)
        writers.live.write([write(("length", signal("concise", T4)), wiped_ms=T2)])
        assert _stored(redis_client) == {"length": version(T4, 1)}

    @pytest.mark.parametrize("granted", [True, False])
    def test_key_of_another_type_is_replaced_by_a_consent_event(
        self, writers: Writers, redis_client: redis.Redis, granted: bool
    ) -> None:
        redis_client.set(LIVE, "no hash")
        writers.live.write([GateWrite(USER, wiped_ms=0, consent_at_ms=T2, opted_out=not granted)])
        assert redis_client.hkeys(LIVE) == ([] if granted else ["_status"])

    def test_opt_in_alone_wipes_nothing(self, writers: Writers, redis_client: redis.Redis) -> None:
        opt_in = GateWrite(USER, wiped_ms=0, consent_at_ms=T2, opted_out=False)
        writers.live.write([write(("length", signal("concise", T1))), opt_in])
        assert _stored(redis_client) == {"length": version(T1, 1)}

    @pytest.mark.parametrize("consent_at_ms", [0, T1], ids=["unset", "opted out"])
    def test_forget_after_an_opt_out_does_not_opt_in(
        self, writers: Writers, redis_client: redis.Redis, consent_at_ms: int
    ) -> None:
        writers.live.write([_opt_out(T2), GateWrite(USER, T3, consent_at_ms, opted_out=False)])
        assert redis_client.get(GATE) == f"{T3}x{T2}"
        assert redis_client.hkeys(LIVE) == ["_status"]

    def test_of_two_consent_events_at_the_same_time_the_opt_out_counts(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        opt_in = GateWrite(USER, wiped_ms=0, consent_at_ms=T2, opted_out=False)
        writers.live.write([opt_in, _opt_out(T2), opt_in])
        assert redis_client.hkeys(LIVE) == ["_status"]


@pytest.mark.parametrize("gate", [_forget(T2), _opt_out(T2), GateWrite(USER, 0, T2, opted_out=False)])
def test_gates_are_written_when_redis_is_out_of_memory(
    writers: Writers, redis_client: redis.Redis, gate: GateWrite
) -> None:
    """A wipe succeeds even where signals cannot be written."""
    writers.live.write([write(("length", signal("concise", T1)))])
    redis_client.config_set("maxmemory", 1)
    try:
        writers.live.write([gate])
    finally:
        redis_client.config_set("maxmemory", 0)
    flag = "x" if gate.opted_out else "-"
    assert redis_client.get(GATE) == f"{gate.wiped_ms:013d}{flag}{gate.consent_at_ms:013d}"
