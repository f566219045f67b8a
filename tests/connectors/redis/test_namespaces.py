"""connectors/redis/namespaces and its commands on a real Redis: comparison, and promotion for Copilot."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.namespaces import USERS_AT_ONCE, Namespaces
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tacit.reader.reader import SignalReader
from tests.support.commands import SECRET, tacit
from tests.support.ports import free_port
from tests.support.sample_signals import NOW_MS, profile, signal, write

KEYS = RegionKeys("eu")
ADA, BOB, CYD, DEE = (bytes([n]) * 16 for n in range(4))


def store_writes(url: str, namespace: str, *writes: object) -> None:
    with closing(SignalWriter(Target(url, "eu", namespace), SinkCounters())) as writer:
        writer.write(writes)  # type: ignore[arg-type]


@pytest.fixture
def namespaces(redis_url: str) -> Iterator[Namespaces]:
    with closing(Namespaces(RedisClient(redis_url), KEYS)) as found:
        yield found


@pytest.fixture
def two(redis_url: str) -> str:
    """Return a Redis with nearly the same signals in `live` and `shadow`."""
    concise, detailed = (signal(value, NOW_MS, tier="hint") for value in ("concise", "detailed"))
    surer = msgspec.structs.replace(concise, confidence=(concise.confidence or 0) + 0.1, tier="apply")
    store_writes(redis_url, "live", write(("length", concise), ("_profile", profile(NOW_MS)), user=ADA))
    store_writes(redis_url, "shadow", write(("length", concise), user=ADA))
    store_writes(redis_url, "live", write(("length", concise), ("tone", concise), user=BOB))
    store_writes(redis_url, "shadow", write(("length", detailed), user=BOB))
    store_writes(redis_url, "live", write(("length", concise), user=CYD))
    store_writes(redis_url, "shadow", write(("length", surer), user=CYD))
    store_writes(redis_url, "shadow", write(("length", concise), user=DEE))
    return redis_url


def test_users_are_compared_facet_by_facet(two: str, namespaces: Namespaces) -> None:
    """The comparison covers value, tier and source, without profiles."""
    found = namespaces.compare("live", "shadow").as_dict()
    length, tone = found["facets"].pop("length"), found["facets"].pop("tone")
    assert found == {
        "first": "live", "second": "shadow", "both": 3, "same": 1, "only_first": 0, "only_second": 1,
        "opted_out_in_one": 0, "unreadable": 0, "facets": {},
    }  # fmt: skip
    assert length.pop("confidence_moved") == pytest.approx(0.1 / 3, abs=1e-4)
    assert length == {"both": 3, "value": 1, "tier": 1, "source": 0, "only_first": 0, "only_second": 0}
    assert tone == {
        "both": 0, "value": 0, "tier": 0, "source": 0, "only_first": 1, "only_second": 0, "confidence_moved": None,
    }  # fmt: skip


def test_comparison_in_the_other_order_is_mirrored(two: str, namespaces: Namespaces) -> None:
    """A namespace equals itself."""
    one, other = namespaces.compare("live", "shadow"), namespaces.compare("shadow", "live")
    assert (one.both, one.same, one.only_first, one.only_second) == (
        other.both, other.same, other.only_second, other.only_first,
    )  # fmt: skip
    itself = namespaces.compare("shadow", "shadow")
    assert (itself.both, itself.same, itself.only_first, itself.only_second) == (4, 4, 0, 0)


def test_each_of_many_users_is_counted_once(redis_url: str, namespaces: Namespaces) -> None:
    """The users exceed one batch, and one step of a scan."""
    users = 2 * USERS_AT_ONCE + 7
    writes = [write(("length", signal("concise", NOW_MS)), user=n.to_bytes(16, "big")) for n in range(users)]
    store_writes(redis_url, "live", *writes)
    store_writes(redis_url, "shadow", *writes[5:])
    found = namespaces.compare("live", "shadow")
    assert (found.both, found.same, found.only_first, found.only_second) == (users - 5, users - 5, 5, 0)


def test_invalid_signals_are_counted_and_not_compared(two: str, redis_client: redis.Redis) -> None:
    """Keys of another type, invalid JSON, and an opt-out in one namespace."""
    live, shadow = KEYS.within("live"), KEYS.within("shadow")
    redis_client.hset(live.signals(ADA), "tone", "{")
    redis_client.hset(shadow.signals(CYD), "_status", "opted_out")
    redis_client.delete(live.signals(BOB))
    redis_client.set(live.signals(BOB), "no hash")
    with closing(Namespaces(RedisClient(two), KEYS)) as namespaces:
        found = namespaces.compare("live", "shadow")
    assert (found.unreadable, found.opted_out_in_one, found.both, found.only_second) == (1, 1, 2, 2)


# Promoting


def test_copilot_reads_the_promoted_namespace(two: str, namespaces: Namespaces) -> None:
    """A second promotion goes back."""
    assert namespaces.active() == "live"
    assert namespaces.promote("shadow") == "live"
    assert namespaces.active() == "shadow"
    with SignalReader(two, region="eu", secret=SECRET) as reader:
        reader.get("new user")
        assert reader._lookups._lookups._keys.namespace == "shadow"
    assert namespaces.promote("live") == "shadow"


def test_namespace_without_writers_is_not_promoted(two: str, namespaces: Namespaces) -> None:
    """A typing error would give all users the defaults."""
    with pytest.raises(ConfigurationError, match="shadwo has no signals; allowed are live, shadow"):
        namespaces.promote("shadwo")
    assert namespaces.active() == "live"


# Commands


def output(*words: str, cwd: Path, status: int = 0) -> str:
    """Return the output of a command that needs no secret."""
    done = tacit(*words, cwd=cwd, TACIT_SECRET="")
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def test_commands_print_their_results(two: str, tmp_path: Path) -> None:
    """As text and as JSON; `diff` ends with status 1 for a difference and 0 for none."""
    table = output("diff", "live", "shadow", "--redis", two, cwd=tmp_path, status=1).splitlines()
    assert table[0].split() == ["users", "in", "both", "3"]
    assert [line.split()[:4] for line in table if line.startswith("length")] == [["length", "3", "1", "(33%)"]]
    found: dict[str, Any] = json.loads(
        output("diff", "live", "shadow", "--redis", two, "--json", cwd=tmp_path, status=1)
    )
    assert (found["both"], found["facets"]["length"]["value"]) == (3, 1)
    assert output("diff", "live", "live", "--redis", two, "--quiet", cwd=tmp_path) == ""
    promoted = output("promote", "shadow", "--redis", two, cwd=tmp_path).splitlines()
    assert promoted[0] == "estimate of the policy of shadow, from the live log:"
    assert promoted[-1] == "readers use shadow instead of live; to undo: tacit promote live"
    assert output("promote", "shadow", "--redis", two, cwd=tmp_path).endswith("\nreaders use shadow, as before\n")
    as_json = output("promote", "live", "--redis", two, "--json", cwd=tmp_path)
    assert json.loads(as_json) == {"region": "eu", "active": "live", "before": "shadow", "candidate": None}


@pytest.mark.parametrize("words", [("diff", "live", "shadow"), ("promote", "shadow")])
def test_silent_redis_is_named_without_its_password(words: tuple[str, ...], tmp_path: Path) -> None:
    """The error is one line, in terms of a command that only reads."""
    address = f"127.0.0.1:{free_port()}"
    done = tacit(*words, "--redis", f"redis://ada:hush-hush@{address}", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"tacit: Redis at {address} did not answer within 5 s: CONNECTION; check the URL, the network and the server\n"
    )


def test_errors_are_one_line(two: str, tmp_path: Path) -> None:
    """Wrong arguments, or an unreachable Redis."""
    for words, status, reason in (
        (("promote", "shadwo", "--redis", two), 2, "shadwo has no signals; allowed are live, shadow"),
        (("diff", "live", "no such name", "--redis", two), 2, "namespace"),
    ):
        done = tacit(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (status, "")
        (line,) = done.stderr.splitlines()
        assert reason in line


def test_redis_users_are_those_of_the_region(tmp_path: Path) -> None:
    """Passwords come from the environment, or are generated, printed once, and stored nowhere."""
    done = tacit("redis", "acl", "--region", "us", cwd=tmp_path, TACIT_READER_PASSWORD="given")
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["default", "tacit-reader", "tacit-writer", "tacit-auditor"]
    assert all("~tacit:v1:us:" in line and "eu" not in line.split("~", 1)[1] for line in lines[1:])
    passwords = done.stderr.splitlines()
    assert [line.split(":")[0] for line in passwords] == ["tacit-writer", "tacit-auditor"]
    assert all(line.split()[2] not in done.stdout for line in passwords)
    users = json.loads(tacit("redis", "acl", "--json", cwd=tmp_path).stdout)
    assert [bool(user["password"]) for user in users] == [False, True, True, True]
