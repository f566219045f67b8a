"""tacit_cli/promote_command: `tacit promote` and back, also where Redis goes away in between."""

import json
from contextlib import closing
from pathlib import Path

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.fillings import Filling, Fillings
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit.contract.keys import RegionKeys
from tests.support.commands import tacit
from tests.support.cut_connection import cut_connection
from tests.support.ports import free_port
from tests.support.sample_signals import NOW_MS, signal, write

KEYS = RegionKeys("eu")
QUICK = {"tacit_cli.namespaces.COMMAND_RETRY_FOR_S": 0.1}


@pytest.fixture
def two(redis_url: str) -> str:
    """Return a Redis with signals in `live` and `shadow`."""
    for namespace in ("live", "shadow"):
        with closing(SignalWriter(Target(redis_url, "eu", namespace), SinkCounters())) as writer:
            writer.write([write(("length", signal("concise", NOW_MS)))])
    return redis_url


def promoted(*words: str, url: str, cwd: Path) -> str:
    done = tacit("promote", *words, "--redis", url, cwd=cwd, TACIT_SECRET="")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_readers_are_switched_and_switched_back(two: str, tmp_path: Path) -> None:
    """As text and as JSON; the way back is printed."""
    lines = promoted("shadow", url=two, cwd=tmp_path).splitlines()
    assert lines[0] == "estimate of the policy of shadow, from the live log:"
    assert lines[-1] == "readers use shadow instead of live; to undo: tacit promote --back"
    assert promoted("shadow", url=two, cwd=tmp_path).endswith("\nreaders use shadow, as before\n")
    as_json = promoted("--back", "--json", url=two, cwd=tmp_path)
    assert json.loads(as_json) == {"region": "eu", "active": "live", "before": "shadow", "candidate": None}
    assert promoted("--back", "--quiet", url=two, cwd=tmp_path) == ""
    again = promoted("--back", "--json", url=two, cwd=tmp_path)
    assert json.loads(again)["active"] == "live"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("shadwo",), "namespace: shadwo was never written in region eu; allowed are live, shadow"),
        (("--back",), "back: Redis remembers no namespace from before live; name one of live, shadow"),
        ((), "namespace: name the namespace that readers shall use, or pass --back alone"),
        (("shadow", "--back"), "namespace: name the namespace that readers shall use, or pass --back alone"),
    ],
)
def test_wrong_use_is_one_line(two: str, words: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    done = tacit("promote", *words, "--redis", two, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tacit: {reason}\n")


def test_way_back_in_an_empty_redis_is_one_line(redis_url: str, tmp_path: Path) -> None:
    done = tacit("promote", "--back", "--redis", redis_url, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("from before live; fill a namespace first by tacit replay with --namespace NAME\n")


def test_namespace_that_a_replay_has_filled_in_part_is_refused(
    two: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Until the end of the replay; the way back stays open."""
    with closing(RedisClient(two)) as client:
        fillings, filling = Fillings(client, KEYS.within("shadow")), Filling("f1", "inputs")
        fillings.begin(filling)
        done = tacit("promote", "shadow", "--redis", two, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "tacit: namespace: shadow holds a part of a history, as a replay, a rebuild or a restoration has not "
            "ended, or a live run has not caught up with its topic; let it end, or run the same command again; if "
            "that fails, replay into another namespace, or tacit rebuild from its finished state folder, which "
            "decides by the newest population version alone\n"
        )
        assert redis_client.get(KEYS.active) is None
        fillings.end(filling)
        assert "readers use shadow" in promoted("shadow", url=two, cwd=tmp_path)
        promoted("live", url=two, cwd=tmp_path)
        fillings.begin(filling)
        assert "readers use shadow" in promoted("--back", url=two, cwd=tmp_path)


def test_way_back_is_open_to_a_namespace_without_signals(two: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    """The signals of the earlier namespace may have expired; readers then give the defaults."""
    promoted("shadow", url=two, cwd=tmp_path)
    for key in redis_client.scan_iter("tacit:v1:eu:live:*"):
        redis_client.delete(key)
    done = tacit("promote", "live", "--redis", two, cwd=tmp_path)
    assert (done.returncode, "live holds no signals" in done.stderr) == (2, True)
    assert promoted("--back", url=two, cwd=tmp_path).endswith(
        "readers use live instead of shadow; to undo: tacit promote --back\n"
    )
    assert redis_client.get(KEYS.active) == "live"


def test_silent_redis_is_named_without_its_password(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = tacit("promote", "shadow", "--redis", f"redis://ada:hush-hush@{address}", cwd=tmp_path, limits=QUICK)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"tacit: Redis at {address} did not answer within 0.1 s: the connection was refused or broke "
        "(CONNECTION); check the URL, the network and the "
        "server; readers use either the namespace from before or the new one, and nothing in between: run the same "
        "command again\n"
    )


@pytest.mark.parametrize("loses_reply", [False, True])
def test_nothing_is_half_promoted_when_redis_goes_away(
    two: str, redis_client: redis.Redis, loses_reply: bool, tmp_path: Path
) -> None:
    """Redis goes away at each request in turn; then the same command completes the switch."""
    outcomes = []
    for requests in range(40):
        redis_client.delete(KEYS.active, KEYS.previous)
        with cut_connection(two.removeprefix("unix://"), requests, loses_reply=loses_reply) as way:
            url = f"redis://127.0.0.1:{way.port}"
            done = tacit("promote", "shadow", "--redis", url, "--json", cwd=tmp_path, limits=QUICK)
        outcomes.append(tuple(redis_client.mget(KEYS.active, KEYS.previous)))
        if not way.was_cut:
            assert done.returncode == 0
            break
        assert done.returncode == 1
        assert len(json.loads(done.stderr)["error"]["problems"]) == 1
        promoted("shadow", url=two, cwd=tmp_path)
        assert redis_client.get(KEYS.active) == "shadow"
    assert outcomes[-1] == ("shadow", "live")
    assert set(outcomes) == {(None, None), ("shadow", "live")}
    assert len(outcomes) > 4
