"""Writers that crash, repeat writes and overtake each other leave the same bytes in Redis as one quiet run."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.gates import Gate, decode_gate, encode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import WIPED
from tacit_lab.embedded import EmbeddedRedis
from tests.support.sample_signals import NOW_MS, USER
from tests.support.user_histories import Step, history_of, steps

KEYS = RegionKeys("eu")
NAMESPACES = ("live", "shadow")
SIGNALS = KEYS.within("live").signals(USER)

NO_GATE = encode_gate(Gate()).decode()

runs_on_a_server = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[Write], list[tuple[str, Write]]]:
    """Draw a history, and its deliveries by two writers: each in order, sometimes going back as after a crash."""
    history = history_of(draw(steps))
    positions = dict.fromkeys(NAMESPACES, 0)
    crashes = draw(st.integers(0, 4))
    delivered = []
    while unfinished := [name for name in NAMESPACES if positions[name] < len(history)]:
        name = draw(st.sampled_from(unfinished))
        delivered.append((name, history[positions[name]]))
        positions[name] += 1
        if crashes and draw(st.booleans()):
            crashes -= 1
            positions[name] = draw(st.integers(0, positions[name]))
    return history, delivered


@pytest.fixture(scope="module")
def writers(redis_server: EmbeddedRedis) -> Iterator[dict[str, SignalWriter]]:
    live = SignalWriter(Target(redis_server.url, "eu"), SinkCounters())
    shadow = SignalWriter(Target(redis_server.url, "eu", "shadow", Mode.REPLAY), SinkCounters())
    with closing(live), closing(shadow):
        yield {"live": live, "shadow": shadow}


def _outcome(client: redis.Redis, namespace: str) -> tuple[object, ...]:
    """Return the gate, fields and expiry of the user, in seconds (events are whole seconds apart).

    After a forget of a facet, the expiry may be that of a deleted field: it then counts only whether there is one.
    """
    signals = KEYS.within(namespace).signals(USER)
    ttl_ms = client.pttl(signals)
    expires_s = round((time.time() * 1000 + ttl_ms - NOW_MS) / 1000) if ttl_ms > 0 else ttl_ms
    gate = client.get(KEYS.gate(USER))
    if gate and "wiped" in gate:
        expires_s = min(expires_s, 1)
    return gate, client.hgetall(signals), expires_s


def _empty(client: redis.Redis) -> None:
    client.flushall()
    client.sadd(KEYS.namespaces, *NAMESPACES)


@runs_on_a_server
@given(case=interleaved())
def test_crashing_writers_end_where_one_quiet_run_ends(
    writers: dict[str, SignalWriter], redis_client: redis.Redis, case: tuple[list[Write], list[tuple[str, Write]]]
) -> None:
    """Live and shadow, interleaved and with repeated writes, leave the same as either alone."""
    history, delivered = case
    _empty(redis_client)
    writers["live"].write(history)
    quiet = _outcome(redis_client, "live")
    _empty(redis_client)
    for name, made in delivered:
        writers[name].write([made])
    assert [_outcome(redis_client, name) for name in NAMESPACES] == [quiet, quiet]


@runs_on_a_server
@given(data=st.data(), taken=steps)
def test_gates_are_commutative_and_idempotent(
    writers: dict[str, SignalWriter], redis_client: redis.Redis, data: st.DataObject, taken: list[Step]
) -> None:
    """Wipes and consent events have one outcome in any order, with any repeats."""
    gates = [made for made in history_of(taken) if isinstance(made, GateWrite)]
    shuffled = data.draw(st.permutations(gates + data.draw(st.lists(st.sampled_from(gates)) if gates else st.just([]))))
    _empty(redis_client)
    writers["live"].write(gates)
    expected = _outcome(redis_client, "live")
    _empty(redis_client)
    writers["live"].write(shuffled)
    assert _outcome(redis_client, "live") == expected


@runs_on_a_server
@given(data=st.data(), taken=steps)
def test_repeating_all_in_order_repairs_any_disorder(
    writers: dict[str, SignalWriter], redis_client: redis.Redis, data: st.DataObject, taken: list[Step]
) -> None:
    """After shuffled, missing and repeated writes of two namespaces, one replay restores the state."""
    history = history_of(taken)
    both = [(name, made) for made in history for name in NAMESPACES]
    disorder = data.draw(st.permutations(both + data.draw(st.lists(st.sampled_from(both), max_size=6)) if both else []))
    _empty(redis_client)
    writers["live"].write(history)
    quiet = _outcome(redis_client, "live")
    _empty(redis_client)
    for name, made in disorder[: data.draw(st.integers(0, len(disorder)))]:
        writers[name].write([made])
    for name in data.draw(st.permutations(NAMESPACES)):
        writers[name].write(history)
    assert [_outcome(redis_client, name) for name in NAMESPACES] == [quiet, quiet]


@runs_on_a_server
@given(data=st.data(), taken=steps)
def test_no_order_restores_old_or_wiped_signals(
    writers: dict[str, SignalWriter], redis_client: redis.Redis, data: st.DataObject, taken: list[Step]
) -> None:
    """After each of the shuffled and repeated deliveries, no signal is outdated, wiped or used without consent."""
    history = history_of(taken)
    born = {_field_version(made): made.wiped_ms for made in history if isinstance(made, SignalWrite)}
    extra = data.draw(st.lists(st.sampled_from(history), max_size=5)) if history else []
    _empty(redis_client)
    before: dict[str, str] = {}
    for made in data.draw(st.permutations(history + extra)):
        writers["live"].write([made])
        gate = decode_gate(str(redis_client.get(KEYS.gate(USER)) or NO_GATE).encode())
        after = {str(name): str(raw)[6:30] for name, raw in redis_client.hgetall(SIGNALS).items() if name != WIPED}
        opted_out = gate.use.state == "denied"
        assert not opted_out or after.keys() == {"_status"}
        assert opted_out or all(born[stored] == gate.wiped_ms for stored in after.values())
        assert all(stored > gate.wiped.get(name, "") for name, stored in after.items())
        assert all(after.get(name, "9") >= older for name, older in before.items())
        before = after


def _field_version(made: SignalWrite) -> str:
    [(_, raw)] = made.fields
    return raw[6:30].decode()
