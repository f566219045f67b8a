"""Shipped Redis users on a real Redis: a reader only reads signals, and a writer cannot delete other data."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from connectors.population.proof_reader import ProofReader
from connectors.population.proof_store import ProofStore
from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.acl import USERS, redis_users
from connectors.redis.client import RedisClient
from connectors.redis.health import redis_problems
from connectors.redis.namespaces import Namespaces
from connectors.redis.ownership import NamespaceOwner
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from dataflows.control.export_redis import redis_part
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SinkCounters
from state.errors import SinkError
from state.learning.proof_report import encode_report
from state.user.writes import StoredHistory
from tacit.contract import versions
from tacit.contract.history import History, encode_history
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.errors import TacitError
from tacit.reader.reader import SignalReader
from tacit_lab.embedded import EmbeddedRedis
from tests.support.feeds import announced
from tests.support.gates import opt_in, opt_out
from tests.support.redis_server import BINARIES
from tests.support.sample_population import version
from tests.support.sample_population import write as population_write
from tests.support.sample_proof import REPORT
from tests.support.sample_signals import NOW_MS, signal, write
from tests.support.service import serving

SECRET = b"a secret of tests"
ADA = pseudonym("ada", SECRET)
KEYS = RegionKeys("eu")
LIVE = KEYS.within("live")


@dataclass(frozen=True)
class Users:
    """URLs of one server, one per Redis user."""

    reader: str
    writer: str
    auditor: str
    without_user: str


@pytest.fixture(scope="module", params=BINARIES)
def users(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    file = tmp_path_factory.mktemp("acl") / "users.acl"
    with pytest.MonkeyPatch.context() as environment:
        for user in ("READER", "WRITER", "AUDITOR"):
            environment.setenv(f"TACIT_{user}_PASSWORD", user)
        file.write_text("".join(f"{user.rules}\n" for user in redis_users("eu")))
    with EmbeddedRedis(BINARIES[request.param], ("--aclfile", str(file))) as server:
        path = server.url.removeprefix("unix://")
        yield Users(
            reader=f"unix://tacit-reader:READER@{path}",
            writer=f"unix://tacit-writer:WRITER@{path}",
            auditor=f"unix://tacit-auditor:AUDITOR@{path}",
            without_user=server.url,
        )


@pytest.fixture
def reader(users: Users) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(users.reader, protocol=2) as client:
        yield client


@pytest.fixture
def writer(users: Users) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(users.writer, protocol=2) as client:
        yield client


def test_writer_writes_signals_that_a_reader_reads(users: Users) -> None:
    """All commands of the sink, of its start-up check, and of the reader are allowed."""
    counters, user = SinkCounters(), pseudonym("grace", SECRET)
    with closing(SignalWriter(Target(users.writer, "eu"), counters)) as sink:
        sink.write([write(("length", signal("concise", NOW_MS)), user=user)])
        sink.write([opt_out(NOW_MS, user=bytes(16)), opt_in(NOW_MS, user=user)])
    with SignalReader(users.reader, region="eu", secret=SECRET) as copilot:
        assert copilot.get("grace").signals["length"].value == "concise"
        assert copilot.get("grace").consent.use == "granted"
    assert (counters.applied, counters.gates, counters.unwritable) == (1, 2, 0)
    assert redis_problems(users.writer, "eu") == []


def test_reader_reads_the_history_of_a_user(users: Users, reader: redis.Redis) -> None:
    user, content = pseudonym("cleo", SECRET), encode_history(History(versions.version(NOW_MS, 1)))
    with closing(SignalWriter(Target(users.writer, "eu"), SinkCounters())) as sink:
        sink.write([opt_in(NOW_MS, user=user)._replace(history=StoredHistory(NOW_MS, content))])
    assert reader.get(KEYS.history(user)) == content


def test_reader_follows_the_feed_of_changes(users: Users, reader: redis.Redis) -> None:
    """From the number of the last entry on, or by range."""
    counters, feed, user = SinkCounters(), KEYS.within("followed").changes, pseudonym("bob", SECRET)
    with closing(SignalWriter(Target(users.writer, "eu", "followed"), counters)) as sink:
        sink.write([opt_in(NOW_MS, user=user)])
        sink.write([opt_out(NOW_MS, user=user)])
    assert announced(reader, feed) == 2 * [[pseudonym_text(user)]]
    [[_, entries]] = reader.execute_command("XREAD", "STREAMS", feed, "0")
    [[_, later]] = reader.execute_command("XREAD", "BLOCK", 1000, "STREAMS", feed, entries[0][0])
    assert later == entries[1:]
    assert counters.unannounced == 0


def test_writer_publishes_defaults_that_a_reader_reads(users: Users, reader: redis.Redis) -> None:
    """Writers may run all commands of versions; readers see the defaults of new users, and no version."""
    shadow = KEYS.within("shadow")
    with closing(PopulationRedisStore(RedisClient(users.writer), shadow, LIVE)) as store:
        assert all(store.publish(population_write(n), fill=False) for n in range(1, 13))
        assert store.publish(population_write(13, NOW_MS + 1), fill=True)
        assert store.pin(5, NumberedCatalogue.load()) == store.fetch(5) == version(5)
        assert store.newest() == version(13, NOW_MS + 1)
    assert set(reader.hgetall(shadow.defaults)) == {b"length", b"tone"}
    with SignalReader(users.reader, region="eu", secret=SECRET, namespace="shadow") as copilot:
        assert copilot.get("new user").choose(unit="c").values["length"] == "concise"
    with (
        closing(PopulationRedisStore(RedisClient(users.reader), shadow)) as store,
        pytest.raises(SinkError, match=r"NOPERM.*users\.acl"),
    ):
        store.newest()


FORBIDDEN_TO_READERS: dict[str, Callable[[redis.Redis], object]] = {
    "write a signal": lambda client: client.hset(LIVE.signals(ADA), "length", "{}"),
    "move what is active": lambda client: client.set(KEYS.active, "shadow"),
    "delete": lambda client: client.delete(LIVE.signals(ADA)),
    "write a history": lambda client: client.set(KEYS.history(ADA), ""),
    "announce a change": lambda client: client.xadd(LIVE.changes, {"users": "k1.other"}),
    "follow changes of another region": lambda client: client.xread({RegionKeys("us").within("live").changes: 0}),
    "list keys": lambda client: client.scan(),
    "list keys by KEYS": lambda client: client.keys("*"),
    "write a gate": lambda client: client.set(KEYS.gate(ADA), ""),
    "see a gate of another region": lambda client: client.get(RegionKeys("us").gate(ADA)),
    "see a population belief": lambda client: client.get(LIVE.population_version(1)),
    "see which population belief is the newest": lambda client: client.get(LIVE.population),
    "see which population beliefs are pinned": lambda client: client.smembers(LIVE.population_pinned),
    "see the report of proof": lambda client: client.get(LIVE.proof),
    "write the defaults of new users": lambda client: client.hset(LIVE.defaults, "length", "{}"),
    "see another region": lambda client: client.hgetall(RegionKeys("us").within("live").signals(ADA)),
    "see a region with a longer name": lambda client: client.hgetall(RegionKeys("eu-2").within("live").signals(ADA)),
    "run a script": lambda client: client.eval("return 1", 0),
    "see settings": lambda client: client.config_get("*"),
}
FORBIDDEN_TO_WRITERS: dict[str, Callable[[redis.Redis], object]] = {
    "flush": lambda client: client.flushall(),
    "flush one database": lambda client: client.flushdb(),
    "flush from a script": lambda client: client.eval("return redis.call('FLUSHALL')", 0),
    "write another region": lambda client: client.hset(RegionKeys("us").within("live").signals(ADA), "length", "{}"),
    "write another region from a script": lambda client: client.eval(
        "return redis.call('SET', KEYS[1], 1)", 1, RegionKeys("us").gate(ADA)
    ),
    "list keys": lambda client: client.scan(),
    "change settings": lambda client: client.config_set("maxmemory", 1),
    "change users": lambda client: client.acl_list(),
    "shut down": lambda client: client.shutdown(nosave=True),
}


FORBIDDEN_TO_AUDITORS: dict[str, Callable[[redis.Redis], object]] = {
    "write a signal": lambda client: client.hset(LIVE.signals(ADA), "length", "{}"),
    "move what is active": lambda client: client.set(KEYS.active, "shadow"),
    "delete": lambda client: client.delete(LIVE.signals(ADA)),
    "run a script": lambda client: client.eval("return 1", 0),
    "see another region": lambda client: client.hgetall(RegionKeys("us").within("live").signals(ADA)),
    "see settings": lambda client: client.config_get("*"),
    "flush": lambda client: client.flushall(),
}


@pytest.mark.parametrize("what", FORBIDDEN_TO_AUDITORS)
def test_auditor_cannot(users: Users, what: str) -> None:
    with (
        redis.Redis.from_url(users.auditor, protocol=2) as client,
        pytest.raises(redis.ResponseError, match=r"(?i)permission"),
    ):
        FORBIDDEN_TO_AUDITORS[what](client)


def test_auditor_compares_and_writer_promotes(users: Users) -> None:
    """Both need no other rights."""
    for namespace in ("live", "shadow"):
        with closing(SignalWriter(Target(users.writer, "eu", namespace), SinkCounters())) as sink:
            sink.write([write(("length", signal("concise", NOW_MS)), user=ADA)])
    with closing(Namespaces(RedisClient(users.auditor), KEYS)) as namespaces:
        found = namespaces.compare("live", "shadow")
        assert (found.both, found.same) == (1, 1)
        with pytest.raises(SinkError, match="NOPERM"):
            namespaces.promote("shadow", "live")
    with closing(Namespaces(RedisClient(users.writer), KEYS)) as namespaces:
        namespaces.promote("shadow", "live")
        assert (namespaces.active(), namespaces.previous()) == ("shadow", "live")
        namespaces.promote("live", "shadow")


def test_population_version_stands_for_signals_without_the_right_to_scan(users: Users) -> None:
    """A writer may not list keys: a namespace with neither is unknown, and is not promoted."""
    for namespace in ("bare", "taught"):
        with closing(SignalWriter(Target(users.writer, "eu", namespace), SinkCounters())) as sink:
            sink.write([write(("length", signal("concise", NOW_MS)), user=ADA)])
    with closing(PopulationRedisStore(RedisClient(users.writer), KEYS.within("taught"))) as store:
        store.publish(population_write(1), fill=False)
    with closing(Namespaces(RedisClient(users.writer), KEYS)) as namespaces:
        namespaces.require_signals("taught")
        with pytest.raises(SinkError, match=r"unknown whether bare holds signals.*as a Redis user with SCAN"):
            namespaces.require_signals("bare")


def test_writer_reports_proof_and_auditor_reads_it(users: Users) -> None:
    """Both need no other rights."""
    with closing(ProofStore(RedisClient(users.writer), LIVE)) as store:
        store.publish(encode_report(REPORT), fill=True)
    with closing(ProofReader(RedisClient(users.auditor), LIVE)) as reader:
        assert reader.read() == REPORT


def test_service_has_the_rights_of_the_auditor(users: Users, tmp_path: Path) -> None:
    """It reads, and waits for effects, which a reader may not: without a worker, the wait ends in vain."""
    with serving(tmp_path, users.auditor, "--source", "events.jsonl") as service:
        choice = service.client.post("/v1/choices", json={"user": "bo", "unit": "c"}).json()
        assert choice["status"] != "unavailable"
        assert service.client.get("/v1/users/bo").status_code == 200
        pinned = service.client.put("/v1/users/bo/pins/tone?wait=0.1", json={"value": "formal"})
        assert (pinned.status_code, pinned.json()["took_ms"]) == (202, None)


def test_auditor_exports(users: Users) -> None:
    """`tacit export` reads keys and times to live."""
    with closing(SignalWriter(Target(users.writer, "eu", "live"), SinkCounters())) as sink:
        history = StoredHistory(NOW_MS, encode_history(History(versions.version(NOW_MS, 1))))
        sink.write([write(("length", signal("concise", NOW_MS)), user=ADA)._replace(history=history)])
    found = {key.key: key for key in redis_part(users.auditor, "eu", ADA).keys}
    assert found[LIVE.signals(ADA)].ttl_ms is not None
    assert found[LIVE.signals(ADA)].content["length"]["value"] == "concise"
    assert found[KEYS.history(ADA)].content == {"v": versions.version(NOW_MS, 1), "actions": [], "changes": []}


@pytest.mark.parametrize("what", FORBIDDEN_TO_READERS)
def test_reader_cannot(reader: redis.Redis, what: str) -> None:
    with pytest.raises(redis.ResponseError, match=r"(?i)permission"):
        FORBIDDEN_TO_READERS[what](reader)


@pytest.mark.parametrize("what", FORBIDDEN_TO_WRITERS)
def test_writer_cannot(writer: redis.Redis, what: str) -> None:
    with pytest.raises(redis.ResponseError, match=r"(?i)permission|can't run this command|can't access"):
        FORBIDDEN_TO_WRITERS[what](writer)


def test_client_without_a_user_may_do_nothing(users: Users) -> None:
    with redis.Redis.from_url(users.without_user, protocol=2) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_reader_with_a_wrong_password_gives_defaults(users: Users) -> None:
    """For Copilot, a misconfigured Redis equals a Redis that does not answer."""
    with SignalReader(users.reader.replace("READER", "guess"), region="eu", secret=SECRET) as copilot:
        assert copilot.get("ada").status == "unavailable"


def test_sink_with_a_reader_fails_at_once_and_names_the_page(users: Users) -> None:
    with (
        closing(SignalWriter(Target(users.reader, "eu"), SinkCounters())) as sink,
        pytest.raises(SinkError, match=r"NOPERM.*users\.acl"),
    ):
        sink.write([write(("length", signal("concise", NOW_MS)))])
    assert redis_problems(users.reader, "eu") != []


def test_writer_reads_the_run_id_of_the_server(users: Users) -> None:
    """A server has one of its own, and keeps it until it starts again."""
    with closing(NamespaceOwner(RedisClient(users.writer), KEYS, "live")) as owner:
        found = owner.instances()
        assert [len(instance) for instance in found] == [40]
        assert owner.instances() == found


def test_template_without_passwords_is_rejected() -> None:
    """A server rejects the file as shipped, because its passwords are public."""
    for binary in BINARIES.values():
        with pytest.raises(TacitError, match="did not start"), EmbeddedRedis(binary, ("--aclfile", str(USERS))):
            pass
