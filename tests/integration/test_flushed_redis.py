"""FLUSHALL under a live run: no connection breaks, and all that the run relied on is right again by itself."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.commands import Running, everything_in, running, tacit
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.monitoring_client import get, scrape
from tests.support.ports import two_free_ports
from tests.support.redis_faults import FragileRedis, fragile_redis
from tests.support.replays import now_ms, redis_of_its_own

pytestmark = KAFKA_TEST

LIVE = "tacit:v1:eu:{live}"
NAMES = ("tacit:v1:eu:namespaces", "tacit:v1:eu:secret", "tacit:v1:eu:active", f"{LIVE}:owner")


@pytest.fixture
def server() -> Iterator[tuple[str, redis.Redis]]:
    with redis_of_its_own() as found:
        yield found


def _event(user: str, kind: str, number: int, **members: Any) -> bytes:
    event = {"schema": 1, "event_id": f"{user}-{number}", "type": kind, "user_id": user, "region": "eu"}
    return json.dumps(event | {"at": now_ms() - 60_000 + number} | members).encode()


def _turn(user: str, number: int) -> bytes:
    return _event(user, "interaction", number, served={"length": "concise"}, feedback={"kind": "thumbs_up"})


def _reasons(port: int) -> list[str]:
    return [reason["reason"] for reason in json.loads(get(port, "/readyz")[1])["reasons"]]


@pytest.mark.parametrize("processes", [1, 2])
def test_flushed_redis_is_whole_again(
    processes: int, kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """Each name, "no" and signal returns without a checkpoint; the run neither restarts nor is ready meanwhile."""
    url, client = server
    topic, port = kafka.create_topic(), two_free_ports()
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--state", str(tmp_path / "state")]
    words += ["--metrics", f"127.0.0.1:{port}", "--checkpoint-every", "120", "--processes", str(processes)]
    users = [f"user-{number}" for number in range(20)]
    client.set("tacit:v1:eu:active", "shadow")
    with running(words, tmp_path / "log") as run:
        run.wait_for(lambda: run.output.count("worker.started") == processes, "the start")
        events = [_event(user, "consent", 0, granted=True) for user in users]
        events += [_turn(user, number) for user in users for number in (1, 2, 3)]
        kafka.produce(topic, [*events, _event("ada", "consent", 0, granted=False)])
        run.wait_for(lambda: len(client.keys("*:signals")) == 21, "the signals")
        run.wait_for(lambda: _reasons(port) == [], "the run to be ready")
        before = everything_in(client)
        client.flushall()
        run.wait_for(lambda: client.exists(*NAMES) == len(NAMES), "the names")
        assert "redis_lost_data" in _reasons(port)
        run.wait_for(lambda: _without_versions(client) == _left(before), "the signals")
        run.wait_for(lambda: _reasons(port) == [], "the run to be ready again")
        run.wait_for(lambda: _events(run) == ["redis.flushed", "redis.restored"], "the log")
        kafka.produce(topic, [_event("bob", "consent", 0, granted=True), _turn("bob", 1)])
        run.wait_for(lambda: len(client.keys("*:signals")) == 22, "later signals")
        assert run.stop() == 0


@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarted"])
def test_no_of_after_the_checkpoint_survives_a_flush(
    restarts: bool, kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """The newest checkpoint has signals of users with a later "no" or forget: no reader sees them again.

    Even an internal restart, which resumes from that checkpoint, first reads the "no" again.
    """
    url, client = server
    topic, port = kafka.create_topic(), two_free_ports()
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--state", str(tmp_path / "state")]
    words += ["--metrics", f"127.0.0.1:{port}", "--checkpoint-every", "4", "--processes", "2"]
    with running(words, tmp_path / "log", {"dataflows.runtime.live._PAUSE_S": 0.01}) as run:
        run.wait_for(lambda: run.output.count("worker.started") == 2, "the start")
        events = [_event(user, "consent", 0, granted=True) for user in ("ada", "bob")]
        kafka.produce(topic, [*events, *[_turn(user, number) for user in ("ada", "bob") for number in (1, 2, 3)]])
        run.wait_for(lambda: len(client.keys("*:signals")) == 2, "the signals")
        made = scrape(port)["tacit_checkpoint_seconds_count"]
        kafka.produce(topic, [_turn(user, 4) for user in ("ada", "bob")])  # else there may be nothing new to save
        run.wait_for(lambda: scrape(port)["tacit_checkpoint_seconds_count"] > made, "a checkpoint with both")
        kafka.produce(topic, [_event("ada", "consent", 9, granted=False), _event("bob", "forget", 9)])
        run.wait_for(lambda: not _learned(client), "the end of the signals")
        if restarts:
            os.kill(run.workers[0], signal.SIGKILL)
        client.flushall()
        seen: list[dict[str, Any]] = []
        run.wait_for(lambda: _is_restored(run, client, seen), "the restoration")
        assert not any(seen)
        assert ("run.failed" in _events(run)) == restarts
        assert run.stop() == 0


def _is_restored(run: Running, client: redis.Redis, seen: list[dict[str, Any]]) -> bool:
    """Note the signals of now, and return whether the restoration has ended."""
    seen.append(_learned(client))
    return "redis.restored" in _events(run)


def _learned(client: redis.Redis) -> dict[str, Any]:
    """Return the hashes of signals that have a signal about a facet."""
    held = {key: fields for key, fields in everything_in(client).items() if key.endswith(":signals")}
    return {key: fields for key, fields in held.items() if any(not name.startswith("_") for name in fields)}


def test_restoration_that_a_run_did_not_end_is_begun_by_the_next_one(
    kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """A run that is stopped or killed in the middle leaves a mark with the owner of the namespace."""
    url, client = server
    topic, owner = kafka.create_topic(), f"{LIVE}:owner"
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--state", str(tmp_path / "state")]
    words += ["--metrics", "off"]
    with running(words, tmp_path / "log") as run:
        run.wait_for(lambda: "worker.started" in run.output, "the start")
        users = ("ada", "bob")
        kafka.produce(topic, [_event(user, "consent", 0, granted=True) for user in users])
        kafka.produce(topic, [_turn(user, number) for user in users for number in (1, 2)])
        run.wait_for(lambda: len(client.keys("*:signals")) == 2, "the signals")
        assert run.stop() == 0
    assert not client.hexists(owner, "restoring")
    client.delete(*client.keys("*:signals"))
    client.hset(owner, "restoring", "1")
    with running(words, tmp_path / "log") as run:
        run.wait_for(lambda: len(client.keys("*:signals")) == 2, "the signals")
        run.wait_for(lambda: _events(run) == ["redis.restoring", "redis.restored"], "the end")
        assert not client.hexists(owner, "restoring")
        assert run.stop() == 0


@pytest.mark.parametrize("loss", ["stopped", "killed", "older", "same", "unknown"])
def test_loss_that_no_run_saw_is_restored_at_the_next_start(loss: str, kafka: Kafka, tmp_path: Path) -> None:
    """Each "no" of the state folder is in Redis again; a Redis that has everything is left alone."""
    (tmp_path / "redis").mkdir()
    topic = kafka.create_topic()
    with fragile_redis(tmp_path / "redis", ("--dbfilename", "dump.rdb")) as server:
        client = server.client
        words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", server.url, "--state", str(tmp_path / "state")]
        words += ["--metrics", "off", "--checkpoint-every", "1"]
        with running(words, tmp_path / "log") as run:
            kafka.produce(topic, [_event(user, "consent", 0, granted=True) for user in ("ada", "bob")])
            kafka.produce(topic, [_turn(user, number) for user in ("ada", "bob") for number in (1, 2, 3)])
            run.wait_for(lambda: len(_learned(client)) == 2, "the signals")
            client.save()
            kafka.produce(topic, [_event("ada", "consent", 9, granted=False)])
            run.wait_for(lambda: len(_learned(client)) == 1, "the end of the signals")
            made = set((tmp_path / "state" / "shards").glob("*/c*"))
            kafka.produce(topic, [_turn("bob", 4)])  # else there may be nothing new to save
            run.wait_for(lambda: set((tmp_path / "state" / "shards").glob("*/c*")) - made, "a checkpoint")
            before = _without_versions(client)
            if loss == "killed":
                client.flushall()
                run.kill()
            else:
                assert run.stop() == 0
        _lose(loss, server, tmp_path / "state")
        with running(words, tmp_path / "log") as run:
            run.wait_for(lambda: "worker.started" in run.output, "the start")
            if loss != "same":
                run.wait_for(lambda: _events(run) == ["redis.restoring", "redis.restored"], "the restoration")
            run.wait_for(lambda: _without_versions(client) == before, "all keys")
            assert run.stop() == 0
        with running(words, tmp_path / "log") as run:
            run.wait_for(lambda: "worker.started" in run.output, "the next start")
            assert run.stop() == 0
            assert not _events(run)


def _lose(loss: str, server: FragileRedis, state: Path) -> None:
    """Lose data of Redis while no run lives, or the folder's memory of Redis."""
    if loss == "stopped":
        server.client.flushall()
    elif loss == "older":
        server.kill()
        server.start()
    elif loss == "unknown":
        (state / "redis.json").unlink()


def test_namespace_is_complete_once_the_run_has_caught_up(
    kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """A run that ends before its first look leaves a part of the topic, for all that a promotion knows."""
    url, client = server
    topic, owner = kafka.create_topic(), "tacit:v1:eu:{shadow}:owner"
    kafka.produce(topic, [_event("ada", "consent", 0, granted=True), _turn("ada", 1), _turn("ada", 2)])
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--state", str(tmp_path / "state")]
    words += ["--metrics", "off", "--namespace", "shadow", "--checkpoint-every", "1"]
    promote = ("promote", "shadow", "--redis", url)
    with running(words, tmp_path / "log", {"dataflows.keeper.LOOK_EVERY_S": 60.0}) as run:
        run.wait_for(lambda: _learned(client), "the signals")
        run.kill()
    refused = tacit(*promote, cwd=tmp_path)
    assert (refused.returncode, "has not caught up" in refused.stderr) == (2, True)
    with running(words, tmp_path / "log") as run:
        run.wait_for(lambda: not any("filling:" in str(name) for name in client.hkeys(owner)), "the end")
        assert run.stop() == 0
    assert tacit(*promote, cwd=tmp_path).returncode == 0


def test_first_signals_after_a_flush_are_of_a_registered_namespace(
    kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """A run without a state folder has nothing to rebuild from, and writes on.

    A flush waits for the restoration before: a batch of it may have read the names already, and write after the flush.
    """
    url, client = server
    topic = kafka.create_topic()
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--metrics", "off"]
    with running(words, tmp_path / "log") as run:
        run.wait_for(lambda: "worker.started" in run.output, "the start")
        for user in ("ada", "bob"):
            client.flushall()
            kafka.produce(topic, [_event(user, "consent", 0, granted=True), _turn(user, 1)])
            run.wait_for(lambda: client.keys("*:signals"), "signals")
            assert client.smembers("tacit:v1:eu:namespaces") == {"live"}
            run.wait_for(lambda: "redis.restored" in _events(run), "the first restoration")
        run.wait_for(lambda: _events(run) == ["redis.flushed", "redis.restored"] * 2, "the second restoration")
        assert run.stop() == 0


def test_no_after_the_dump_survives_a_restart_from_the_dump(kafka: Kafka, tmp_path: Path) -> None:
    """The lease in the dump is as new as the run's own, and only the server's run id shows the start."""
    (tmp_path / "redis").mkdir()
    topic, port = kafka.create_topic(), two_free_ports()
    with fragile_redis(tmp_path / "redis", ("--dbfilename", "dump.rdb")) as server:
        client = server.client
        words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", server.url, "--state", str(tmp_path / "state")]
        words += ["--metrics", f"127.0.0.1:{port}"]
        with running(words, tmp_path / "log") as run:
            kafka.produce(topic, [_event("ada", "consent", 0, granted=True)])
            kafka.produce(topic, [_turn("ada", number) for number in (1, 2, 3)])
            run.wait_for(lambda: _learned(client), "the signals")
            until_ms = client.hget(f"{LIVE}:owner", "until_ms")
            run.wait_for(lambda: client.hget(f"{LIVE}:owner", "until_ms") != until_ms, "a renewal")
            client.save()
            kafka.produce(topic, [_event("ada", "consent", 9, granted=False)])
            run.wait_for(lambda: not _learned(client), "the end of the signals")
            server.kill()
            server.start()
            run.wait_for(lambda: "redis.restored" in _events(run), "the restoration")
            assert not _learned(client)
            assert _events(run).count("redis.restarted") == 1
            assert "redis.flushed" not in _events(run)
            run.wait_for(lambda: _reasons(port) == [], "the run to be ready again")
            assert run.stop() == 0


def test_names_return_after_a_first_attempt_that_failed(
    kafka: Kafka, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """Redis rejects one of the names for a while: the keeper repeats all of them."""
    url, client = server
    topic, owner = kafka.create_topic(), f"{LIVE}:owner"
    client.set("tacit:v1:eu:active", "shadow")
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--metrics", "off"]
    with running(words, tmp_path / "log") as run:
        run.wait_for(lambda: client.hget(owner, "goes") == "live", "the hold")
        kafka.produce(topic, [_event("ada", "consent", 0, granted=True), _turn("ada", 1), _turn("ada", 2)])
        run.wait_for(lambda: _learned(client), "the signals")
        with client.pipeline(transaction=True) as at_once:
            at_once.flushall()
            at_once.hset("tacit:v1:eu:secret", "not", "a text")
            at_once.execute()
        run.wait_for(lambda: client.hexists(owner, "restoring"), "the first attempt")
        client.delete("tacit:v1:eu:secret")
        run.wait_for(lambda: client.get("tacit:v1:eu:active") == "shadow", "the active namespace")
        run.wait_for(lambda: _events(run) == ["redis.flushed", "redis.restored"], "the restoration")
        assert client.hget(owner, "goes") == "live"
        assert client.smembers("tacit:v1:eu:namespaces") == {"live"}
        assert run.stop() == 0


def _left(content: dict[str, Any]) -> dict[str, Any]:
    """Return the keys with their fields, without values: a rebuild writes signals as of the newest checkpoint."""
    return {key: sorted(value) if isinstance(value, dict | set) else value for key, value in content.items()}


def _without_versions(client: redis.Redis) -> dict[str, Any]:
    return _left(everything_in(client))


def _events(run: Running) -> list[str]:
    lines = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
    return [line["event"] for line in lines if line["event"].startswith(("redis.", "run.failed"))]
