"""Reads and writes in a real Redis Cluster of three servers, also while hash slots move and servers fail."""

import asyncio
import json
import os
import signal as signals_of_unix
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest
from redis.crc import key_slot

from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.acl import redis_users
from connectors.redis.client import RedisClient
from connectors.redis.health import redis_problems
from connectors.redis.namespaces import Namespaces
from connectors.redis.ownership import NamespaceOwner
from connectors.redis.signal_writer import PIPELINE_WRITES, SignalWriter
from connectors.redis.target import Target
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SinkCounters
from state.user.writes import SignalWrite
from tacit import Adaptation, AsyncSignalReader, SignalReader
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.contract.signals import decode_signal
from tacit.reader.circuit_breaker import FAILURES
from tacit.reader.reader import USERS_PER_ROUND_TRIP
from tests.support.commands import SECRET, everything_in, tacit
from tests.support.conditions import eventually, once
from tests.support.feeds import announced
from tests.support.gates import opt_out
from tests.support.redis_cluster import Cluster, Server, cluster
from tests.support.redis_server import BINARIES
from tests.support.replays import redis_of_its_own, replay, write_history
from tests.support.sample_population import version
from tests.support.sample_population import write as population_write
from tests.support.sample_signals import NOW_MS, signal, write

KEYS = RegionKeys("eu")
LIVE = KEYS.within("live")
NAMES = [f"user-{number}" for number in range(3 * PIPELINE_WRITES)]
USERS = {name: pseudonym(name, SECRET.encode()) for name in NAMES}


@pytest.fixture(scope="module", params=BINARIES)
def three(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster(BINARIES[request.param]) as made:
        yield made


@pytest.fixture
def empty(three: Cluster) -> Cluster:
    three.empty()
    return three


@pytest.fixture
def counters() -> SinkCounters:
    return SinkCounters()


@pytest.fixture
def writer(empty: Cluster, counters: SinkCounters) -> Iterator[SignalWriter]:
    with closing(SignalWriter(Target(empty.url, "eu"), counters)) as opened:
        yield opened


@pytest.fixture
def reader(empty: Cluster) -> Iterator[SignalReader]:
    with SignalReader(empty.url, region="eu", secret=SECRET) as opened:
        yield opened


def writes_of_all(seq: int) -> list[SignalWrite]:
    """Return a signal of this number for each user."""
    return [write(("length", signal("concise", NOW_MS, seq)), user=user) for user in USERS.values()]


def versions(found: dict[str, Adaptation]) -> set[str]:
    """Return the versions of all signals that were read."""
    return {adaptation.signals["length"].v for adaptation in found.values() if adaptation.status != "unavailable"}


def version_of(seq: int) -> str:
    return signal("concise", NOW_MS, seq).v


# Writing and reading


def test_users_of_all_servers_are_written_and_read(
    empty: Cluster, writer: SignalWriter, counters: SinkCounters, reader: SignalReader
) -> None:
    """Both readers find all users without a retry, and each of the three servers has some of the users."""
    writer.write(writes_of_all(1))
    assert (counters.applied, counters.retries, counters.unwritable) == (len(NAMES), 0, 0)
    assert all(len(server.client.keys("*:signals")) > len(NAMES) / 5 for server in empty.primaries)
    assert versions(reader.get_many(NAMES)) == {version_of(1)}
    assert versions({name: reader.get(name) for name in NAMES[:20]}) == {version_of(1)}

    async def read() -> dict[str, Adaptation]:
        async with AsyncSignalReader(empty.url, region="eu", secret=SECRET) as asynchronous:
            return await asynchronous.get_many(NAMES)

    assert versions(asyncio.run(read())) == {version_of(1)}


def test_changes_of_all_servers_are_in_one_feed(empty: Cluster, writer: SignalWriter, counters: SinkCounters) -> None:
    """Whichever server has the stream."""
    writer.write(writes_of_all(1))
    [server] = [server for server in empty.primaries if server.client.keys(LIVE.changes)]
    assert [name for entry in announced(server.client, LIVE.changes) for name in entry] == [
        pseudonym_text(user) for user in USERS.values()
    ]
    assert counters.unannounced == 0


def test_wipe_reaches_every_namespace(empty: Cluster, writer: SignalWriter) -> None:
    with closing(SignalWriter(Target(empty.url, "eu", "shadow"), SinkCounters())) as shadow:
        shadow.write(writes_of_all(1))
    writer.write([opt_out(NOW_MS, user=user) for user in USERS.values()])
    held = {key: content for key, content in empty.everything().items() if key.endswith(":signals")}
    assert len(held) == 2 * len(NAMES)
    assert {tuple(content) for content in held.values()} == {("_status",)}


def test_replay_leaves_the_same_bytes_in_a_cluster_and_on_one_server(empty: Cluster, tmp_path: Path) -> None:
    """Signals, gates and population versions are equal; the commands show them."""
    write_history(tmp_path / "events.jsonl")
    words = ("events.jsonl", "--population", "none")
    with redis_of_its_own() as (url, client):
        replay(url, *words, cwd=tmp_path)
        single = everything_in(client)
    replay(empty.url, *words, "--state", "state", cwd=tmp_path)
    assert empty.everything() == single
    empty.empty()
    assert tacit("rebuild", "--redis", empty.url, "--state", "state", cwd=tmp_path).returncode == 0
    assert empty.everything().keys() == single.keys()
    assert tacit("check", "events.jsonl", "--redis", empty.url, cwd=tmp_path).returncode == 0
    shown = json.loads(tacit("show", "user-000001", "--redis", empty.url, "--json", cwd=tmp_path).stdout)
    assert shown["status"] in ("fresh", "absent", "opted_out")


def test_population_is_written_by_one_script(empty: Cluster, reader: SignalReader) -> None:
    shadow = KEYS.within("shadow")
    with closing(PopulationRedisStore(RedisClient(empty.url), LIVE)) as store:
        assert all(store.publish(population_write(n), fill=False) for n in range(1, 13))
        assert store.newest() == version(12)
        assert store.fetch(2) is None
    with closing(PopulationRedisStore(RedisClient(empty.url), shadow, LIVE)) as store:
        assert store.pin(5, NumberedCatalogue.load()) == version(5)
    assert reader.get("new user").choose(unit="c").values["length"] == "concise"


def test_namespaces_are_compared_over_all_servers(empty: Cluster, writer: SignalWriter) -> None:
    writer.write(writes_of_all(1))
    with closing(SignalWriter(Target(empty.url, "eu", "shadow"), SinkCounters())) as shadow:
        shadow.write(writes_of_all(2)[:-5])
    with closing(Namespaces(RedisClient(empty.url), KEYS)) as namespaces:
        found = namespaces.compare("live", "shadow")
        assert (found.both, found.same, found.only_first) == (len(NAMES) - 5, len(NAMES) - 5, 5)
        namespaces.require_signals("shadow")
        namespaces.promote("shadow", "live")
        assert (namespaces.active(), namespaces.previous()) == ("shadow", "live")


def test_check_covers_every_server(empty: Cluster) -> None:
    assert redis_problems(empty.url, "eu") == []
    last = empty.servers[2]
    last.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        [problem] = redis_problems(empty.url, "eu")
    finally:
        last.client.config_set("maxmemory-policy", "noeviction")
    assert problem.startswith(f"Redis at 127.0.0.1:{last.port} evicts")


@pytest.mark.parametrize("binary", BINARIES)
def test_shipped_redis_users_have_all_rights_for_a_cluster(binary: str, tmp_path: Path) -> None:
    """Reader, writer and auditor can follow redirects, fetch the map, and use moving keys."""
    with pytest.MonkeyPatch.context() as environment:
        for user in ("READER", "WRITER", "AUDITOR"):
            environment.setenv(f"TACIT_{user}_PASSWORD", user)
        _, *users = [user.rules for user in redis_users("eu")]
    file = tmp_path / "users.acl"
    servers_user = "user default on nopass ~* &* +@all"  # for the servers themselves
    file.write_text("\n".join([servers_user, *users, ""]))
    with cluster(BINARIES[binary], ("--aclfile", str(file))) as made:
        urls = {who: made.url.replace("//", f"//tacit-{who}:{who.upper()}@") for who in ("reader", "writer", "auditor")}
        assert redis_problems(urls["writer"], "eu") == []
        with (
            closing(SignalWriter(Target(urls["writer"], "eu"), SinkCounters())) as writer,
            closing(Namespaces(RedisClient(urls["auditor"]), KEYS)) as namespaces,
            closing(NamespaceOwner(RedisClient(urls["writer"]), KEYS, "live")) as owner,
            SignalReader(urls["reader"], region="eu", secret=SECRET) as reader,
        ):
            assert len(owner.instances()) == len(made.primaries)
            writer.write(writes_of_all(1))
            slot, source, target = _a_slot(made)
            made.begin_moving(slot, source, target)
            made.move_keys(slot, source, target)
            assert versions(reader.get_many(NAMES)) == {version_of(1)}
            made.end_moving(slot, source, target)
            writer.write(writes_of_all(2))
            assert versions(reader.get_many(NAMES)) == {version_of(2)}
            assert namespaces.compare("live", "shadow").only_first == len(NAMES)


# Moving


def _a_slot(made: Cluster) -> tuple[int, Server, Server]:
    """Return the hash slot of a user, its server, and another server."""
    key = LIVE.signals(USERS[NAMES[0]])
    source = made.holder(key)
    return key_slot(key.encode()), source, next(server for server in made.primaries if server != source)


def test_moving_hash_slot_is_followed(
    empty: Cluster, writer: SignalWriter, counters: SinkCounters, reader: SignalReader
) -> None:
    """Readers find each key on either server; a write waits until signals and gate are on the same server."""
    slot, source, target = _a_slot(empty)
    writer.write(writes_of_all(1))
    empty.begin_moving(slot, source, target)
    assert versions(reader.get_many(NAMES)) == {version_of(1)}
    empty.move_keys(slot, source, target)
    assert versions(reader.get_many(NAMES)) == {version_of(1)}
    with once(lambda: counters.retries, lambda: empty.end_moving(slot, source, target)):
        writer.write(writes_of_all(2))
    assert versions(reader.get_many(NAMES)) == {version_of(2)}
    empty.begin_moving(slot, target, source)
    empty.end_moving(slot, target, source)
    waited = counters.retries
    writer.write(writes_of_all(3))
    assert counters.retries == waited
    assert versions(reader.get_many(NAMES)) == {version_of(3)}


# Losing a server


@contextmanager
def _frozen(servers: Sequence[Server]) -> Iterator[None]:
    pids = [server.process.pid for server in servers if server.process.pid]
    for pid in pids:
        os.kill(pid, signals_of_unix.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signals_of_unix.SIGCONT)


def test_only_users_of_hanging_servers_get_defaults(empty: Cluster, writer: SignalWriter, reader: SignalReader) -> None:
    """A read sends to all servers, then waits once; open circuits soon exclude the silent servers until they answer."""
    some = NAMES[:USERS_PER_ROUND_TRIP]
    writer.write(writes_of_all(1))
    assert versions(reader.get_many(some)) == {version_of(1)}
    speaking, *silent = empty.primaries
    theirs = {name for name in some if empty.holder(LIVE.signals(USERS[name])) != speaking}
    answered = set()
    with _frozen(silent):
        for _ in range(2 * FAILURES):
            began_s = time.monotonic()
            found = reader.get_many(some)
            assert time.monotonic() - began_s < 2
            answered |= {name for name, adaptation in found.items() if adaptation.status == "fresh"}
    assert answered == set(some) - theirs
    eventually(
        lambda: all(adaptation.status == "fresh" for adaptation in reader.get_many(some).values()),
        within_s=20,
        what="all to answer again",
    )


def test_async_reader_limits_the_wait_for_hanging_servers(empty: Cluster, writer: SignalWriter) -> None:
    some = NAMES[:USERS_PER_ROUND_TRIP]
    writer.write(writes_of_all(1))
    _, *silent = empty.primaries

    async def read() -> list[set[str]]:
        async with AsyncSignalReader(empty.url, region="eu", secret=SECRET) as asynchronous:
            before = await asynchronous.get_many(some)
            with _frozen(silent):
                meanwhile = await asynchronous.get_many(some)
            return [{adaptation.status for adaptation in found.values()} for found in (before, meanwhile)]

    assert asyncio.run(read()) == [{"fresh"}, {"fresh", "unavailable"}]


class Work:
    """Writes and reads of all users in a loop, with the versions that were read."""

    def __init__(self, url: str, counters: SinkCounters) -> None:
        self.rounds = 0
        self.seen: dict[str, list[str]] = {name: [] for name in NAMES}
        self.statuses: set[str] = set()
        self._stop = Event()
        self._threads = [Thread(target=self._write, args=(url, counters)), Thread(target=self._read, args=(url,))]

    def __enter__(self) -> "Work":
        for thread in self._threads:
            thread.start()
        self.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def wait(self, rounds: int) -> None:
        goal = self.rounds + rounds
        eventually(lambda: self.rounds >= goal, within_s=60, what="writes")

    def _write(self, url: str, counters: SinkCounters) -> None:
        with closing(SignalWriter(Target(url, "eu"), counters)) as writer:
            while not self._stop.is_set():
                writer.write(writes_of_all(self.rounds + 1))
                self.rounds += 1

    def _read(self, url: str) -> None:
        with SignalReader(url, region="eu", secret=SECRET) as reader:
            while not self._stop.is_set():
                for name, adaptation in reader.get_many(NAMES).items():
                    self.statuses.add(adaptation.status)
                    if "length" in adaptation.signals:
                        self.seen[name].append(adaptation.signals["length"].v)


def _assert_nothing_was_lost(made: Cluster, work: Work, counters: SinkCounters) -> None:
    held = {key: content for key, content in made.everything().items() if key.endswith(":signals")}
    assert len(held) == len(NAMES)
    assert {decode_signal(content["length"].encode()).v for content in held.values()} == {version_of(work.rounds)}
    assert all(older <= newer for seen in work.seen.values() for older, newer in pairwise(seen))
    assert work.statuses <= {"fresh", "absent", "unavailable"}
    assert counters.unwritable == counters.gated == 0


def test_promoted_replica_is_found(empty: Cluster, counters: SinkCounters) -> None:
    """After an operator's failover, no acknowledged write is lost, and no reader sees an older version."""
    with Work(empty.url, counters) as work:
        empty.fail_over()
        work.wait(10)
    _assert_nothing_was_lost(empty, work, counters)


@pytest.mark.parametrize("binary", BINARIES)
def test_replica_replaces_a_dead_server(binary: str, counters: SinkCounters) -> None:
    """The URL names the dead server; the cluster promotes its replica, and no process needs a restart."""
    with cluster(BINARIES[binary], ("--cluster-node-timeout", "1000")) as made:
        with Work(made.url, counters) as work:
            dead = made.servers[0]
            assert dead.process.pid is not None
            os.kill(dead.process.pid, signals_of_unix.SIGKILL)
            work.wait(10)
        left = Cluster(made.servers[1:])
        work.seen = {}  # writes that did not reach the replica are lost, so older versions may return
        _assert_nothing_was_lost(left, work, counters)
        with SignalReader(made.servers[1].url, region="eu", secret=SECRET) as reader:
            assert versions(reader.get_many(NAMES)) == {version_of(work.rounds)}
