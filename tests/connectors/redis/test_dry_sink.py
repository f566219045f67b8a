"""The sink of a dry run against the writer: the same history, on the same Redis."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
import redis
from hypothesis import HealthCheck, given, settings

from connectors.redis.client import RedisClient
from connectors.redis.dry_sink import DrySink
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.tally import tally
from connectors.redis.target import Mode, Target
from state.counters import ForeseenCounters, SinkCounters
from state.user.writes import Write
from tacit.contract.keys import RegionKeys
from tacit_lab.embedded import EmbeddedRedis
from tests.support.gates import facet_wipe, opt_in
from tests.support.sample_signals import HOUR_MS, NOW_MS, signal, write
from tests.support.user_histories import Step, history_of, steps

Counts = dict[str, int]
Signals = dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def target(redis_server: EmbeddedRedis) -> Target:
    return Target(redis_server.url, "eu", "shadow", Mode.REPLAY)


@pytest.fixture
def client(redis_url: str) -> Iterator[RedisClient]:
    with closing(RedisClient(redis_url)) as opened:
        yield opened


def _counts(counters: SinkCounters) -> Counts:
    return {name: getattr(counters, name) for name in ("applied", "stale", "gated", "gates")}


def _dry(target: Target, writes: Sequence[Write]) -> tuple[Counts, Signals]:
    """Return the counts of a dry run, and its signals by facet and tier."""
    counters, foreseen = SinkCounters(), ForeseenCounters()
    with closing(DrySink(target, counters, foreseen).build("out", 0, 1)) as sink:
        for each in writes:
            sink.write_batch([each])
    assert foreseen.users == any(foreseen.signals.values())  # one user, while a signal is left
    return _counts(counters), {key: count for key, count in foreseen.signals.items() if count}


def _real(target: Target, writes: Sequence[Write]) -> Counts:
    counters = SinkCounters()
    with closing(SignalWriter(target, counters)) as writer:
        for each in writes:
            writer.write([each])
    return _counts(counters)


def _signals(client: RedisClient) -> Signals:
    found = tally(client, RegionKeys("eu"), "shadow")
    return {(facet, tier): count for facet, tiers in found.items() for tier, count in tiers.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taken=steps)
def test_dry_run_counts_as_the_writer(
    target: Target, client: RedisClient, redis_client: redis.Redis, taken: list[Step]
) -> None:
    """Over an empty Redis the signals are those of the run; over its result, a dry run counts as another run."""
    redis_client.flushall()
    history = history_of(taken)
    counts, signals = _dry(target, history)
    assert counts == _real(target, history)
    assert signals == _signals(client)
    again, _ = _dry(target, history)
    assert again == _real(target, history)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taken=steps)
def test_dry_run_obeys_the_gates_of_a_live_run(target: Target, redis_client: redis.Redis, taken: list[Step]) -> None:
    """A forget or a "no" that the live run wrote holds for the history, too."""
    redis_client.flushall()
    history = history_of(taken)
    _real(Target(target.url, "eu"), history)
    counts, _ = _dry(target, history)
    assert counts == _real(target, history)


def test_signal_before_a_forget_of_its_facet_is_stale(target: Target, redis_client: redis.Redis) -> None:
    """As the writer does not store it."""
    redis_client.flushall()
    wiped = signal("concise", NOW_MS - HOUR_MS, 9)
    _real(target, [facet_wipe("length", wiped.v)])
    counts, signals = _dry(target, [write(("length", signal("concise", NOW_MS - HOUR_MS, 8)))])
    assert (counts["applied"], counts["stale"], signals) == (0, 1, {})


def test_signal_after_a_forget_of_its_facet_stays_behind_further_gates(
    target: Target, redis_client: redis.Redis
) -> None:
    """Each later gate of the user repeats the forget."""
    redis_client.flushall()
    before, after = signal("concise", NOW_MS - HOUR_MS, 8), signal("concise", NOW_MS, 10)
    wipe = facet_wipe("length", signal("concise", NOW_MS - HOUR_MS, 9).v)
    granted = opt_in(NOW_MS)
    history: list[Write] = [
        write(("length", before)),
        wipe,
        write(("length", after)),
        wipe._replace(gate=type(wipe.gate)(learn=granted.gate.learn, wiped=wipe.gate.wiped)),
    ]
    _, signals = _dry(target, history)
    assert signals == {("length", after.tier): 1}
