"""The sink on a real Redis: batches, short outages, and errors that remain."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha1
from pathlib import Path

import bytewax.operators as op
import pytest
import redis
from bytewax.dataflow import Dataflow, Stream
from bytewax.testing import TestingSource, run_main

from connectors.files.reject_sink import FileRejectSink
from connectors.redis.client import RedisClient
from connectors.redis.signal_sink import RedisSink
from connectors.redis.signal_writer import PIPELINE_WRITES, SignalWriter
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.errors import SinkError
from state.user.writes import SignalWrite, Write
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import once
from tests.support.gates import opt_in, opt_out
from tests.support.ports import free_port
from tests.support.redis_server import BINARIES
from tests.support.sample_signals import HOUR_MS, NOW_MS, USER, signal, write

KEYS = RegionKeys("eu")
LIVE = KEYS.within("live").signals(USER)
LENGTH = write(("length", signal("concise", NOW_MS)))


@pytest.fixture
def counters() -> SinkCounters:
    return SinkCounters()


@pytest.fixture
def target(redis_url: str) -> Target:
    return Target(redis_url, "eu", retry_for_s=5.0)


@pytest.fixture
def writer(target: Target, counters: SinkCounters) -> Iterator[SignalWriter]:
    with closing(SignalWriter(target, counters)) as opened:
        yield opened


def _writes(count: int, at_ms: int = NOW_MS) -> list[SignalWrite]:
    return [write(("length", signal("concise", at_ms)), user=place.to_bytes(16, "big")) for place in range(count)]


def test_dataflow_writes_every_item(
    target: Target, counters: SinkCounters, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """More users than fit into one pipeline, through Bytewax."""
    items: list[Write] = list(_writes(2 * PIPELINE_WRITES + 1))
    flow = Dataflow("test")
    writes: Stream[Write] = op.input("in", flow, TestingSource(items, batch_size=200))
    op.output("out", writes, RedisSink(target, counters, lambda: FileRejectSink(tmp_path / "rejects")))
    run_main(flow)
    stored = [KEYS.within("live").signals(made.user) for made in items]
    assert redis_client.exists(*stored) == counters.applied == len(items)
    assert counters.retries == counters.unwritable == 0


def test_server_without_the_scripts_costs_no_retry(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """Each pipeline loads its scripts."""
    writer.write([LENGTH, opt_in(NOW_MS)])
    redis_client.script_flush()
    writer.write([*_writes(3), opt_in(NOW_MS)])
    assert (counters.applied, counters.gates, counters.retries) == (4, 2, 0)


def test_repeats_reach_a_server_without_the_scripts(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """A failover after the first command, which loaded the script: the repeated commands load the script again."""
    opted_out = bytes(16)
    writer.write([opt_out(NOW_MS, user=opted_out)])
    redis_client.config_set("maxmemory", 1)

    def move() -> None:
        redis_client.script_flush()
        redis_client.config_set("maxmemory", 0)

    with once(lambda: counters.retries, move):
        writer.write([LENGTH._replace(user=opted_out), LENGTH])
    assert redis_client.exists(LIVE)
    assert counters.gated == 1


def test_broken_connection_is_replaced(writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis) -> None:
    writer.write([LENGTH])
    redis_client.client_kill_filter(_type="normal", skipme=True)
    writer.write(_writes(3))
    assert counters.applied == 4
    assert counters.retries > 0


@dataclass(frozen=True)
class Trouble:
    """Cause of a short outage of writes."""

    start: Callable[[redis.Redis], object]
    end: Callable[[redis.Redis], object]


TROUBLES = {
    "OOM": Trouble(lambda client: client.config_set("maxmemory", 1), lambda client: client.config_set("maxmemory", 0)),
    "NOREPLICAS": Trouble(
        lambda client: client.config_set("min-replicas-to-write", 1),
        lambda client: client.config_set("min-replicas-to-write", 0),
    ),
    "READONLY": Trouble(
        lambda client: client.replicaof("127.0.0.1", "1"), lambda client: client.replicaof("NO", "ONE")
    ),
}


@pytest.mark.parametrize("code", TROUBLES)
def test_write_waits_for_the_end_of_an_outage(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis, code: str
) -> None:
    writer.write(_writes(1))
    TROUBLES[code].start(redis_client)
    with once(lambda: counters.retries, lambda: TROUBLES[code].end(redis_client)):
        writer.write([LENGTH])
    assert counters.applied == 2
    assert redis_client.exists(LIVE)


@pytest.mark.parametrize("code", TROUBLES)
def test_long_outage_is_an_error_with_its_code(target: Target, redis_client: redis.Redis, code: str) -> None:
    """The error has the code even where Redis 6.2 wraps it, and has no key or value."""
    redis_client.sadd(KEYS.namespaces, "live")
    TROUBLES[code].start(redis_client)
    try:
        with (
            closing(SignalWriter(replace(target, retry_for_s=0.2), SinkCounters())) as writer,
            pytest.raises(SinkError, match=code) as caught,
        ):
            writer.write([LENGTH])
    finally:
        TROUBLES[code].end(redis_client)
    assert "k1." not in str(caught.value)
    assert "concise" not in str(caught.value)


def test_unreachable_redis_is_an_error_without_the_password() -> None:
    url = f"redis://writer:hush-hush@127.0.0.1:{free_port()}"
    with (
        closing(SignalWriter(Target(url, "eu", retry_for_s=0.1), SinkCounters())) as writer,
        pytest.raises(SinkError, match="CONNECTION") as caught,
    ):
        writer.write([LENGTH])
    assert "hush-hush" not in str(caught.value)


def test_impossible_write_is_a_reject_and_the_rest_is_written(
    target: Target, counters: SinkCounters, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """The reject has the key, for `tacit rebuild` after the repair, and no values of the user."""
    other, another, third, fourth = _writes(4)
    live = KEYS.within("live")
    redis_client.set(live.signals(other.user), "no hash")
    redis_client.set(KEYS.gate(fourth.user), "no gate")
    ahead = write(("length", signal("concise", NOW_MS + HOUR_MS)), user=another.user)
    rejects = tmp_path / "rejects.jsonl"
    sink = RedisSink(target, counters, lambda: FileRejectSink(rejects)).build("signals", 0, 1)
    with closing(sink):
        sink.write_batch([third])
        assert not rejects.exists()
        sink.write_batch([other, ahead, opt_out(NOW_MS, user=fourth.user), third])
    logged = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(reject["reason"], reject["detail"], reject["origin"]) for reject in logged] == [
        ("unwritable", "WRONGTYPE", {"key": live.signals(other.user)}),
        ("unwritable", "BADVERSION", {"key": live.signals(another.user)}),
        ("unwritable", "BADGATE", {"key": KEYS.gate(fourth.user)}),
    ]
    assert all(
        abs(reject["at"] - NOW_MS) < HOUR_MS and re.fullmatch("[0-9a-f]{64}", reject["sha256"]) for reject in logged
    )
    assert "concise" not in rejects.read_text()
    assert (counters.unwritable, counters.applied, counters.stale) == (3, 1, 1)


def test_freshness_is_measured_of_live_writes_only(target: Target, counters: SinkCounters) -> None:
    for mode in Mode:
        with closing(SignalWriter(replace(target, mode=mode), counters)) as writer:
            writer.write([write((f"facet-{mode}", signal("concise", NOW_MS)))])
    assert counters.applied == 3
    assert sum(counters.freshness.counts) == 1


def test_effect_of_control_events_is_measured_of_live_writes_only(target: Target, counters: SinkCounters) -> None:
    """A gate of an absence has no control event; a clock ahead counts as no delay."""
    gates = [opt_out(NOW_MS)._replace(asked_ms=asked_ms) for asked_ms in (0, NOW_MS, 2 * NOW_MS)]
    for mode in Mode:
        with closing(SignalWriter(replace(target, mode=mode), counters)) as writer:
            writer.write(gates)
    assert counters.gates == 9
    assert sum(counters.control_effect.counts) == 2
    assert 0 <= counters.control_effect.total < HOUR_MS / 1000


def test_namespace_is_registered_before_the_first_write(
    writer: SignalWriter, target: Target, redis_client: redis.Redis
) -> None:
    writer.write([LENGTH])
    with closing(SignalWriter(replace(target, namespace="shadow", mode=Mode.REPLAY), SinkCounters())) as shadow:
        shadow.write([LENGTH])
    assert redis_client.smembers(KEYS.namespaces) == {"live", "shadow"}
    writer.write([opt_out(NOW_MS)])
    assert redis_client.hkeys(KEYS.within("shadow").signals(USER)) == ["_status"]


def test_lost_registration_is_repeated(writer: SignalWriter, redis_client: redis.Redis) -> None:
    writer.write([LENGTH])
    redis_client.flushall()
    redis_client.client_kill_filter(_type="normal", skipme=True)
    writer.write([LENGTH])
    writer.write(_writes(1))
    assert redis_client.smembers(KEYS.namespaces) == {"live"}


def test_lost_registration_is_repeated_without_a_broken_connection(
    writer: SignalWriter, redis_client: redis.Redis
) -> None:
    """Before the first signals, as another writer's wipe looks for them by it."""
    writer.write([LENGTH])
    redis_client.flushall()
    writer.write([LENGTH])
    assert redis_client.smembers(KEYS.namespaces) == {"live"}


def test_registration_lost_during_a_batch_is_repeated(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """An operator empties a Redis that is out of memory, and the batch that waits for memory is the next write."""
    writer.write([LENGTH])
    with _emptied_while_it_waits(counters, redis_client):
        writer.write(_writes(1))
    assert len(redis_client.keys("*:signals")) == 1
    assert redis_client.smembers(KEYS.namespaces) == {"live"}


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.FILL])
def test_replay_into_a_redis_that_lost_data_is_an_error(mode: Mode, target: Target, redis_client: redis.Redis) -> None:
    """The signals of before would be missing without notice."""
    with closing(SignalWriter(replace(target, mode=mode), SinkCounters())) as writer:
        writer.write([LENGTH])
        redis_client.flushall()
        with pytest.raises(SinkError, match="lost data of namespace live during the replay"):
            writer.write([LENGTH])


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.FILL])
def test_replay_that_loses_data_during_its_last_batch_is_an_error(
    mode: Mode, target: Target, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    with closing(SignalWriter(replace(target, mode=mode), counters)) as writer:
        writer.write([LENGTH])
        with (
            _emptied_while_it_waits(counters, redis_client),
            pytest.raises(SinkError, match="lost data of namespace live during the replay"),
        ):
            writer.write(_writes(1))


@contextmanager
def _emptied_while_it_waits(counters: SinkCounters, client: redis.Redis) -> Iterator[None]:
    """Let the next batch wait for memory, and empty Redis before the batch is written."""

    def empty() -> None:
        client.flushall()
        TROUBLES["OOM"].end(client)

    TROUBLES["OOM"].start(client)
    with once(lambda: counters.retries, empty):
        yield


def test_forbidden_batch_is_not_written(target: Target, redis_client: redis.Redis) -> None:
    """The permit is asked before each batch."""

    def forbid() -> None:
        raise SinkError("no permit")

    with closing(SignalWriter(target, SinkCounters(), permit=forbid)) as writer, pytest.raises(SinkError):
        writer.write([LENGTH])
    assert redis_client.dbsize() == 0


def test_commands_after_a_failed_one_of_the_same_owner_are_repeated(redis_url: str, redis_client: redis.Redis) -> None:
    """`a` fails until the last command loads its script; then `a` and the commands after it take effect in order."""
    append = "return redis.call('RPUSH', KEYS[1], ARGV[1])"
    sha = sha1(append.encode(), usedforsecurity=False).hexdigest()
    with closing(RedisClient(redis_url)) as client:
        client.deliver(
            [
                ("EVALSHA", sha, 1, "ada", "a"),
                ("RPUSH", "ada", "b"),
                ("RPUSH", "bob", "c"),
                ("SCRIPT", "LOAD", append),
            ],
            owners=["ada", "ada", "bob", None],
        )
    assert redis_client.lrange("ada", 0, -1) == ["b", "a", "b"]
    assert redis_client.lrange("bob", 0, -1) == ["c"]


def test_writes_over_tcp() -> None:
    port = free_port()
    with EmbeddedRedis(BINARIES["redis-6.2"], ("--port", str(port), "--bind", "127.0.0.1")):
        counters = SinkCounters()
        with closing(SignalWriter(Target(f"redis://127.0.0.1:{port}/3", "eu"), counters)) as writer:
            writer.write([LENGTH])
    assert counters.applied == 1


@pytest.mark.parametrize(
    "target", [Target("http://redis", "eu"), Target("redis://redis", "EU"), Target("redis://redis", "eu", "a:b")]
)
def test_invalid_target_is_rejected(target: Target) -> None:
    with pytest.raises(ConfigurationError):
        SignalWriter(target, SinkCounters())
