"""gate.lua on a real Redis: the merge of gates, and their effect on signals in every namespace."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.user.control import UNTIMED_MS
from state.user.writes import GateWrite
from tacit.contract.gates import SCOPES, STATES, Gate, GatePin, Scope, ScopeConsent, decode_gate, encode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import decode_signal
from tacit.contract.versions import version
from tests.support.gates import consent, facet_wipe, forget, opt_in, opt_out, pin
from tests.support.sample_signals import HOUR_MS, NOW_MS, USER, profile, signal, write

KEYS = RegionKeys("eu")
LIVE = KEYS.within("live").signals(USER)
SHADOW = KEYS.within("shadow").signals(USER)
GATE = KEYS.gate(USER)

T1, T2, T3, T4 = (NOW_MS - HOUR_MS + 1000 * step for step in range(4))
LENGTH = write(("length", signal("concise", T1)))


class Writers:
    """A writer per namespace, on one server, with one set of counters."""

    def __init__(self, url: str) -> None:
        self.counters = SinkCounters()
        self.live = SignalWriter(Target(url, "eu", retry_for_s=1.0), self.counters)
        self.shadow = SignalWriter(Target(url, "eu", "shadow", Mode.REPLAY, retry_for_s=1.0), self.counters)

    def close(self) -> None:
        for writer in (self.live, self.shadow):
            writer.close()


@pytest.fixture
def writers(redis_url: str) -> Iterator[Writers]:
    """Return two writers, each of which has written a signal."""
    with closing(Writers(redis_url)) as opened:
        for writer in (opened.live, opened.shadow):
            writer.write([LENGTH])
        yield opened


def _stored(client: redis.Redis) -> Gate:
    return decode_gate(str(client.get(GATE)).encode())


class TestScopes:
    """Without the consent to use signals, a user has only a status, in every namespace."""

    def test_opt_out_leaves_only_the_status(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([opt_out(T2), write(("length", signal("concise", T3)), wiped_ms=T2)])
        status = f'{{"v":"{T2}-0000000000","status":"opted_out"}}'
        assert redis_client.hgetall(LIVE) == redis_client.hgetall(SHADOW) == {"_status": status}
        assert writers.counters.gated == 1

    @pytest.mark.parametrize("scope", SCOPES)
    def test_only_the_scope_use_takes_signals_away(
        self, writers: Writers, redis_client: redis.Redis, scope: Scope
    ) -> None:
        """Without a wipe, signals can be learned and not used."""
        writers.live.write([consent("denied", T2, [scope])])
        fields = ["_status"] if scope == "use" else ["length"]
        assert redis_client.hkeys(LIVE) == redis_client.hkeys(SHADOW) == fields

    def test_opt_in_removes_the_status_and_signals_may_come_back(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.live.write([opt_out(T2), opt_in(T3, wiped_ms=T2)])
        assert not redis_client.exists(LIVE, SHADOW)
        writers.live.write([write(("length", signal("concise", T4)), wiped_ms=T2)])
        assert set(redis_client.hkeys(LIVE)) == {"length", "_epoch"}

    def test_opt_in_alone_deletes_nothing(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([opt_in(T2)])
        assert redis_client.hkeys(LIVE) == redis_client.hkeys(SHADOW) == ["length"]

    def test_forget_after_an_opt_out_does_not_opt_in(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([opt_out(T2), consent("denied", T2, wiped_ms=T3, forgotten_ms=T3)])
        assert _stored(redis_client).use == ScopeConsent("denied", T2)
        assert redis_client.hkeys(LIVE) == ["_status"]

    def test_of_two_consents_of_one_time_the_stricter_holds(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([opt_in(T2), opt_out(T2), opt_in(T2)])
        assert _stored(redis_client).use == ScopeConsent("denied", T2)

    @pytest.mark.parametrize("given", [opt_in(T2), opt_out(T2)], ids=["yes", "no"])
    def test_signals_of_another_type_are_replaced(
        self, writers: Writers, redis_client: redis.Redis, given: GateWrite
    ) -> None:
        redis_client.set(LIVE, "no hash")
        writers.live.write([given])
        assert redis_client.hkeys(LIVE) == (["_status"] if given.gate.use.state == "denied" else [])

    def test_time_ahead_of_the_clock_does_not_lose_a_no(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([opt_out(NOW_MS + HOUR_MS)])
        assert redis_client.hkeys(LIVE) == ["_status"]


class TestWipes:
    """A forget deletes signals in every namespace, of all facets or of one."""

    def test_forget_deletes_the_signals(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([forget(T2)])
        assert not redis_client.exists(LIVE, SHADOW)

    def test_forget_of_a_facet_deletes_its_older_signals(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([write(("tone", signal("formal", T1)), ("_profile", profile(T1)))])
        writers.shadow.write([write(("length", signal("detailed", T3)))])
        writers.live.write([facet_wipe("length", version(T2, 1))])
        assert set(redis_client.hkeys(LIVE)) == {"tone", "_profile"}
        assert decode_signal(redis_client.hget(SHADOW, "length") or "").value == "detailed"

    def test_unreadable_signal_of_a_forgotten_facet_is_deleted(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        redis_client.hset(LIVE, "length", "no signal")
        writers.live.write([facet_wipe("length", version(T2, 1))])
        assert not redis_client.exists(LIVE)

    def test_forget_of_everything_covers_earlier_forgets_and_pins(
        self, writers: Writers, redis_client: redis.Redis
    ) -> None:
        writers.live.write([facet_wipe("length", version(T1, 1)), pin("tone", "formal", T1)])
        writers.live.write([forget(T2)])
        assert (_stored(redis_client).wiped, _stored(redis_client).pins) == ({}, {})
        writers.live.write([pin("tone", "formal", T1), pin("tone", "neutral", T3)])
        assert _stored(redis_client).pins == {"tone": GatePin("neutral", T3)}


class TestUntimed:
    """A "no" without any time: a stored "yes" and stored pins give way to it."""

    def test_opt_out_holds_from_the_time_of_the_yes(self, writers: Writers, redis_client: redis.Redis) -> None:
        """A later "yes" lifts it."""
        writers.live.write([opt_in(T2), opt_out(UNTIMED_MS)])
        assert _stored(redis_client).use == ScopeConsent("denied", T2)
        assert redis_client.hkeys(LIVE) == redis_client.hkeys(SHADOW) == ["_status"]
        writers.live.write([opt_in(T3)])
        assert _stored(redis_client).use == ScopeConsent("granted", T3)

    def test_yes_that_comes_later_holds(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([opt_out(UNTIMED_MS), opt_in(T2)])
        assert _stored(redis_client).use == ScopeConsent("granted", T2)

    def test_forget_removes_signals_and_pins(self, writers: Writers, redis_client: redis.Redis) -> None:
        """A new pin stays."""
        writers.live.write([pin("tone", "formal", T2), forget(UNTIMED_MS)])
        assert not redis_client.exists(LIVE, SHADOW)
        assert _stored(redis_client).pins == {}
        writers.live.write([pin("tone", "neutral", T4)])
        assert _stored(redis_client).pins == {"tone": GatePin("neutral", T4)}


class TestPins:
    """Pins stand in the gate alone."""

    def test_newest_pin_of_each_facet_holds(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([pin("tone", "formal", T2), pin("tone", "neutral", T1), pin("length", "concise", T1)])
        assert _stored(redis_client).pins == {"tone": GatePin("formal", T2), "length": GatePin("concise", T1)}
        assert redis_client.hkeys(LIVE) == ["length"]

    def test_of_two_pins_of_one_time_the_later_write_holds(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([pin("tone", "formal", T2), pin("tone", None, T2)])
        assert _stored(redis_client).pins == {"tone": GatePin(None, T2)}

    def test_opt_out_keeps_the_pins(self, writers: Writers, redis_client: redis.Redis) -> None:
        writers.live.write([pin("tone", "formal", T1), opt_out(T2)])
        assert _stored(redis_client).pins == {"tone": GatePin("formal", T1)}


@pytest.mark.parametrize(
    ("first", "meaning"),
    [
        (f"{T1}-{T2}", ("granted", T2)),
        (f"{T2}-{T1}", ("unasked", T2)),
        (f"{T1}x{T1}", ("denied", T1)),
        (f"{T1}-0000000000000", ("unasked", T1)),
        ("0000000000000-0000000000000", ("unasked", 0)),
    ],
    ids=["yes", "yes before a wipe", "no", "wipe", "empty"],
)
def test_gates_of_the_first_form_are_merged(
    writers: Writers, redis_client: redis.Redis, first: str, meaning: tuple[str, int]
) -> None:
    """They have one consent for all scopes; the reader reads them alike."""
    redis_client.set(GATE, first)
    read = decode_gate(first.encode())
    assert read.use == meaning
    writers.live.write([pin("tone", "formal", T3)])
    merged = _stored(redis_client)
    assert (merged.wiped_ms, merged.learn, merged.use, merged.explore) == (
        read.wiped_ms, read.learn, read.use, read.explore,
    )  # fmt: skip
    assert merged.pins == {"tone": GatePin("formal", T3)}


@pytest.mark.parametrize("given", [forget(T2), opt_out(T2), opt_in(T2), pin("tone", "formal", T2)])
def test_gates_are_written_when_redis_is_out_of_memory(
    writers: Writers, redis_client: redis.Redis, given: GateWrite
) -> None:
    redis_client.config_set("maxmemory", 1)
    try:
        writers.live.write([given])
    finally:
        redis_client.config_set("maxmemory", 0)
    assert redis_client.get(GATE) == encode_gate(given.gate).decode()


# Properties

moments = st.integers(UNTIMED_MS + 1, 9)
times = st.just(0) | moments
scope_consents = st.builds(ScopeConsent, st.sampled_from([*STATES.values()]), times)
facets = st.sampled_from(["length", "tone", "format"])


@st.composite
def gates(draw: st.DrawFn, name: int) -> Gate:
    """Draw a gate of which no pin has the time of another gate's pin."""
    pins = draw(st.dictionaries(facets, st.tuples(st.sampled_from(["concise", "formal", None]), moments), max_size=3))
    wiped = draw(st.dictionaries(facets, st.builds(version, moments, st.integers(1, 3)), max_size=2))
    return Gate(
        draw(times),
        draw(times),
        draw(scope_consents),
        draw(scope_consents),
        draw(scope_consents),
        {facet: GatePin(value, 100 * at + name) for facet, (value, at) in pins.items()},
        wiped,
    )


def _merged(all_gates: list[Gate]) -> Gate:
    """Return the oracle of a merge: the newest of each part, without void entries."""
    strictness = [*STATES.values()].index
    wiped_ms, forgotten_ms = max(g.wiped_ms for g in all_gates), max(g.forgotten_ms for g in all_gates)
    found: dict[str, Any] = {
        scope: max((getattr(g, scope) for g in all_gates), key=lambda c: (c.since_ms, strictness(c.state)))
        for scope in SCOPES
    }
    pins: dict[str, GatePin] = {}
    wiped: dict[str, str] = {}
    for gate in all_gates:
        for facet, entry in gate.pins.items():
            pins[facet] = max(pins.get(facet, GatePin(None, 0)), entry, key=lambda p: p.at_ms)
        for facet, text in gate.wiped.items():
            wiped[facet] = max(wiped.get(facet, ""), text)
    pins = {facet: entry for facet, entry in sorted(pins.items()) if entry.at_ms > forgotten_ms}
    wiped = {facet: text for facet, text in sorted(wiped.items()) if int(text[:13]) > wiped_ms}
    return Gate(wiped_ms, forgotten_ms, **found, pins=pins, wiped=wiped)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_and_repeats_of_gates_make_no_difference(
    writers: Writers, redis_client: redis.Redis, data: st.DataObject
) -> None:
    """The stored text is that of the oracle, byte by byte."""
    made = [data.draw(gates(name)) for name in range(data.draw(st.integers(1, 4)))]
    redis_client.delete(GATE)
    for gate in data.draw(st.permutations(made + data.draw(st.lists(st.sampled_from(made), max_size=3)))):
        writers.live.write([GateWrite(USER, gate)])
    expected = encode_gate(_merged([Gate(), *made])).decode()
    assert (redis_client.get(GATE) or encode_gate(Gate()).decode()) == expected
