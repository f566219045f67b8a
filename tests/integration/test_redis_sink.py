"""The sink on a real Redis: batches, troubles that pass and troubles that do not."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
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
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import once
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


def _people(count: int, at_ms: int = NOW_MS) -> list[SignalWrite]:
    return [write(("length", signal("concise", at_ms)), user=place.to_bytes(16, "big")) for place in range(count)]


def test_dataflow_writes_every_item(
    target: Target, counters: SinkCounters, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """More people than fit in one pipeline, through Bytewax."""
    people: list[Write] = list(_people(2 * PIPELINE_WRITES + 1))
    flow = Dataflow("test")
    writes: Stream[Write] = op.input("in", flow, TestingSource(people, batch_size=200))
    op.output("out", writes, RedisSink(target, counters, lambda: FileRejectSink(tmp_path / "rejects")))
    run_main(flow)
    stored = [KEYS.within("live").signals(made.user) for made in people]
    assert redis_client.exists(*stored) == counters.applied == len(people)
    assert counters.retries == counters.unwritable == 0


def test_server_that_forgot_the_scripts_costs_no_retry(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """A pipeline brings the scripts it uses."""
    writer.write([LENGTH, GateWrite(USER, 0, NOW_MS, opted_out=False)])
    redis_client.script_flush()
    writer.write([*_people(3), GateWrite(USER, 0, NOW_MS, opted_out=False)])
    assert (counters.applied, counters.gates, counters.retries) == (4, 2, 0)


def test_repeats_reach_a_server_that_never_had_the_scripts(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    """As in a failover between the first command, which bore the script and stands, and those that go again."""
    opted_out = bytes(16)
    writer.write([GateWrite(opted_out, wiped_ms=0, consent_at_ms=NOW_MS, opted_out=True)])
    redis_client.config_set("maxmemory", 1)

    def move() -> None:
        redis_client.script_flush()
        redis_client.config_set("maxmemory", 0)

    with once(lambda: counters.retries, move):
        writer.write([LENGTH._replace(user=opted_out), LENGTH])
    assert redis_client.exists(LIVE)
    assert counters.gated == 1


def test_broken_connection_is_made_again(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis
) -> None:
    writer.write([LENGTH])
    redis_client.client_kill_filter(_type="normal", skipme=True)
    writer.write(_people(3))
    assert counters.applied == 4
    assert counters.retries > 0


@dataclass(frozen=True)
class Trouble:
    """Something that keeps Redis from taking writes for a while."""

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
def test_trouble_that_passes_is_waited_for(
    writer: SignalWriter, counters: SinkCounters, redis_client: redis.Redis, code: str
) -> None:
    writer.write(_people(1))
    TROUBLES[code].start(redis_client)
    with once(lambda: counters.retries, lambda: TROUBLES[code].end(redis_client)):
        writer.write([LENGTH])
    assert counters.applied == 2
    assert redis_client.exists(LIVE)


@pytest.mark.parametrize("code", TROUBLES)
def test_trouble_that_stays_ends_in_an_error_that_names_its_code(
    target: Target, redis_client: redis.Redis, code: str
) -> None:
    """Redis 6.2 wraps a script's errors: the code is found all the same. No key or value is in the text."""
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


def test_unreachable_redis_ends_in_an_error_without_the_password() -> None:
    url = f"redis://writer:hush-hush@127.0.0.1:{free_port()}"
    with (
        closing(SignalWriter(Target(url, "eu", retry_for_s=0.1), SinkCounters())) as writer,
        pytest.raises(SinkError, match="CONNECTION") as caught,
    ):
        writer.write([LENGTH])
    assert "hush-hush" not in str(caught.value)


def test_write_that_can_never_succeed_is_a_reject_and_the_rest_is_written(
    target: Target, counters: SinkCounters, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """The key finds it, `tacit rebuild` writes it again when that is mended, and nobody's values are told."""
    other, another, third = _people(3)
    live = KEYS.within("live")
    redis_client.set(live.signals(other.user), "no hash")
    ahead = write(("length", signal("concise", NOW_MS + HOUR_MS)), user=another.user)
    rejects = tmp_path / "rejects.jsonl"
    sink = RedisSink(target, counters, lambda: FileRejectSink(rejects)).build("signals", 0, 1)
    with closing(sink):
        sink.write_batch([third])
        assert not rejects.exists()
        sink.write_batch([other, ahead, third])
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(one["reason"], one["detail"], one["origin"]) for one in told] == [
        ("unwritable", "WRONGTYPE", {"key": live.signals(other.user)}),
        ("unwritable", "BADVERSION", {"key": live.signals(another.user)}),
    ]
    assert all(abs(one["at"] - NOW_MS) < HOUR_MS and re.fullmatch("[0-9a-f]{64}", one["sha256"]) for one in told)
    assert "concise" not in rejects.read_text()
    assert (counters.unwritable, counters.applied, counters.stale) == (2, 1, 1)


def test_freshness_is_measured_of_live_writes_only(target: Target, counters: SinkCounters) -> None:
    for mode in Mode:
        with closing(SignalWriter(replace(target, mode=mode), counters)) as writer:
            writer.write([write((f"facet-{mode}", signal("concise", NOW_MS)))])
    assert counters.applied == 3
    assert sum(counters.freshness.counts) == 1


def test_namespace_is_registered_before_the_first_write(
    writer: SignalWriter, target: Target, redis_client: redis.Redis
) -> None:
    writer.write([LENGTH])
    with closing(SignalWriter(replace(target, namespace="shadow", mode=Mode.REPLAY), SinkCounters())) as shadow:
        shadow.write([LENGTH])
    assert redis_client.smembers(KEYS.namespaces) == {"live", "shadow"}
    writer.write([GateWrite(USER, NOW_MS, NOW_MS, opted_out=True)])
    assert redis_client.hkeys(KEYS.within("shadow").signals(USER)) == ["_status"]


def test_registration_lost_by_the_server_is_made_again(writer: SignalWriter, redis_client: redis.Redis) -> None:
    writer.write([LENGTH])
    redis_client.flushall()
    redis_client.client_kill_filter(_type="normal", skipme=True)
    writer.write([LENGTH])
    writer.write(_people(1))
    assert redis_client.smembers(KEYS.namespaces) == {"live"}


def test_what_follows_a_failed_command_of_its_owner_is_sent_again(redis_url: str, redis_client: redis.Redis) -> None:
    """`a` fails until its script is loaded, by the last command: then `a` and what followed it take effect in order."""
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
def test_target_that_cannot_be_is_refused(target: Target) -> None:
    with pytest.raises(ConfigurationError):
        SignalWriter(target, SinkCounters())
