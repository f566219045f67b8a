"""connectors/redis/namespaces on a real Redis: names, and promotion for an assistant."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.namespaces import Namespaces
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError, TacitError
from tacit.reader.reader import SignalReader
from tests.support.commands import SECRET, tacit
from tests.support.sample_signals import NOW_MS, signal, write

KEYS = RegionKeys("eu")


@pytest.fixture
def namespaces(redis_url: str) -> Iterator[Namespaces]:
    """Yield the namespaces of a Redis with signals in `live` and `shadow`, and none in `empty`."""
    for namespace in ("live", "shadow", "empty"):
        with closing(SignalWriter(Target(redis_url, "eu", namespace), SinkCounters())) as writer:
            writer.write([write(("length", signal("concise", NOW_MS)))] if namespace != "empty" else [])
    with closing(Namespaces(RedisClient(redis_url), KEYS)) as found:
        yield found


def test_assistant_reads_the_promoted_namespace(redis_url: str, namespaces: Namespaces) -> None:
    """Redis remembers the namespace from before, and a second promotion goes back."""
    assert (namespaces.active(), namespaces.previous()) == ("live", None)
    namespaces.promote("shadow", "live")
    assert (namespaces.active(), namespaces.previous()) == ("shadow", "live")
    with SignalReader(redis_url, region="eu", secret=SECRET) as reader:
        reader.get("new user")
        assert reader._lookups._lookups._keys.namespace == "shadow"
    namespaces.promote("live", "shadow")
    assert (namespaces.active(), namespaces.previous()) == ("live", "shadow")


def test_repeated_promotion_changes_nothing(namespaces: Namespaces) -> None:
    """A retry after a lost reply is safe."""
    for _ in range(2):
        namespaces.promote("shadow", "live")
    assert (namespaces.active(), namespaces.previous()) == ("shadow", "live")


def test_one_of_two_promotions_wins(redis_url: str, namespaces: Namespaces) -> None:
    """The other one fails, and nothing is half promoted."""

    def promote(name: str) -> str | None:
        with closing(Namespaces(RedisClient(redis_url), KEYS)) as own:
            try:
                own.promote(name, "live")
            except TacitError as error:
                return str(error)
            return None

    with ThreadPoolExecutor() as threads:
        names = ["shadow", "other"] * 8
        errors = list(threads.map(promote, names))
    active = namespaces.active()
    assert namespaces.previous() == "live"
    assert [error is None for error in errors] == [name == active for name in names]
    text = "promote: another promotion has made {} the active namespace meanwhile, and this one changed nothing; run"
    assert {error for error in errors if error} == {f"{text.format(active)} the command again to replace it"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("shadwo", "shadwo was never written in region eu; allowed are empty, live, shadow"),
        (
            "empty",
            "empty holds no signals, and readers would give all users the defaults; fill it first by tacit replay",
        ),
        ("No Name", "'No Name' is not a name"),
    ],
)
def test_namespace_without_signals_is_refused(namespaces: Namespaces, name: str, reason: str) -> None:
    """A typing error would give all users the defaults."""
    with pytest.raises(ConfigurationError, match=reason):
        namespaces.require_signals(name)


def test_region_without_a_namespace_has_an_error(redis_client: redis.Redis, redis_url: str) -> None:
    with (
        closing(Namespaces(RedisClient(redis_url), KEYS)) as namespaces,
        pytest.raises(ConfigurationError, match="live was never written in region eu; this region has no namespace"),
    ):
        namespaces.require("live")


def test_redis_without_memory_promotes_nothing(redis_client: redis.Redis, redis_url: str) -> None:
    """Both keys are written, or none."""
    redis_client.config_set("maxmemory", 1)
    try:
        with (
            closing(Namespaces(RedisClient(redis_url, retry_for_s=0), KEYS)) as namespaces,
            pytest.raises(TacitError, match="did not accept commands: OOM"),
        ):
            namespaces.promote("shadow", "live")
    finally:
        redis_client.config_set("maxmemory", 0)
    assert redis_client.keys() == []


def test_redis_users_are_those_of_the_region(tmp_path: Path) -> None:
    """Passwords come from the environment, or are generated, printed once, and stored nowhere."""
    done = tacit("redis", "acl", "--region", "us", cwd=tmp_path, TACIT_READER_PASSWORD="given")
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["default", "tacit-reader", "tacit-writer", "tacit-auditor"]
    assert all("~tacit:v1:us:" in line and "eu" not in line.split("~", 1)[1] for line in lines[1:])
    passwords = done.stderr.splitlines()
    assert [line.split(":")[0] for line in passwords] == ["tacit-writer", "tacit-auditor"]
    assert all(line.split()[2] not in done.stdout for line in passwords)
    users = tacit("redis", "acl", "--json", cwd=tmp_path).stdout
    assert users.count('"password": null') == 1
