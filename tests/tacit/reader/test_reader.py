"""Readers on a real Redis: they read all signals written, and answer soon even if Redis fails."""

import asyncio
import gc
import os
import signal as signals_of_unix
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import msgspec
import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit import Adaptation, AsyncSignalReader, SignalReader
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import IdComparison, pseudonym
from tacit.errors import ConfigurationError
from tacit.reader.circuit_breaker import FAILURES, OPEN_FOR_S
from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.support.gates import opt_out, pin
from tests.support.ports import free_port
from tests.support.sample_signals import NOW_MS, profile, signal, write

SECRET = "a secret of tests"
KEYS = RegionKeys("eu")
HEAVY = {"bytewax", "kafka", "river", "pydantic", "numpy", "structlog"}

Read = Callable[..., dict[str, Adaptation]]


def _user(name: str) -> bytes:
    return pseudonym(name, SECRET.encode())


def _read(url: str, *names: str, times: int = 1, catalogue: Catalogue | None = None) -> dict[str, Adaptation]:
    with SignalReader(url, region="eu", secret=SECRET, catalogue=catalogue) as reader:
        return [reader.get_many(names) for _ in range(times)][-1]


def _read_async(url: str, *names: str, times: int = 1, catalogue: Catalogue | None = None) -> dict[str, Adaptation]:
    async def read() -> dict[str, Adaptation]:
        async with AsyncSignalReader(url, region="eu", secret=SECRET, catalogue=catalogue) as reader:
            return [await reader.get_many(names) for _ in range(times)][-1]

    return asyncio.run(read())


both = pytest.mark.parametrize("read", [_read, _read_async], ids=["sync", "async"])


@pytest.fixture
def written(redis_url: str) -> str:
    """Return a Redis in which Ada has signals, Bob opted out, and Cleo is unknown."""
    with closing(SignalWriter(Target(redis_url, "eu"), SinkCounters())) as writer:
        ada = (("length", signal("concise", NOW_MS)), ("_profile", profile(NOW_MS)))
        writer.write([write(*ada, user=_user("ada")), opt_out(NOW_MS, user=_user("bob"))])
    return redis_url


@both
def test_reads_what_was_written(written: str, read: Read) -> None:
    found_users = read(written, "ada", "bob", "cleo")
    assert {name: adaptation.status for name, adaptation in found_users.items()} == {
        "ada": "fresh",
        "bob": "opted_out",
        "cleo": "absent",
    }
    assert found_users["ada"].signals == {"length": signal("concise", NOW_MS)}
    assert found_users["ada"].profile == profile(NOW_MS)


@both
def test_pin_holds_in_every_namespace(written: str, redis_client: redis.Redis, read: Read) -> None:
    """A pin needs no learned signals."""
    with closing(SignalWriter(Target(written, "eu"), SinkCounters())) as writer:
        writer.write([pin("length", "detailed", NOW_MS, user=_user(name)) for name in ("ada", "new")])
    for namespace in ("live", "shadow"):
        redis_client.set(KEYS.active, namespace)
        found = read(written, "ada", "new")
        assert {adaptation.choose("c").values["length"] for adaptation in found.values()} == {"detailed"}


IDS = ["a\ud800b", "", " ", "ada\u200b", "x" * 10_000, "a}{b", "a\0b", "\ud83d\ude00", "İ", "*", "\r\n"]


@both
@pytest.mark.parametrize("identity", get_args(IdComparison))
def test_no_string_as_a_user_id_raises(written: str, read: Read, identity: IdComparison) -> None:
    """Nor do any in a batch."""
    catalogue = msgspec.structs.replace(Catalogue.load(), identity=identity)
    found = read(written, *IDS, catalogue=catalogue)
    assert {adaptation.status for adaptation in found.values()} == {"absent"}


@both
def test_folded_ids_of_a_user_are_one_user(written: str, read: Read) -> None:
    """By the catalogue; by default ids are compared by bytes."""
    assert [found.status for found in read(written, "ada", " Ada").values()] == ["fresh", "absent"]
    folding = msgspec.structs.replace(Catalogue.load(), identity="casefold")
    assert [found.status for found in read(written, "ada", " Ada", catalogue=folding).values()] == ["fresh", "fresh"]


@both
def test_many_users_take_several_round_trips(written: str, read: Read) -> None:
    names = [f"stranger-{number}" for number in range(250)] + ["ada"]
    assert [name for name, adaptation in read(written, *names).items() if adaptation.status == "fresh"] == ["ada"]


@both
def test_read_without_users_is_empty(written: str, read: Read) -> None:
    assert read(written) == {}


@both
def test_key_of_another_type_affects_one_user(written: str, redis_client: redis.Redis, read: Read) -> None:
    redis_client.set(KEYS.within("live").signals(_user("dave")), "no hash")
    redis_client.set(KEYS.within("live").defaults, "no hash")
    redis_client.rpush(KEYS.gate(_user("eve")), "no gate")
    found_users = read(written, "dave", "ada", "eve")
    assert {name: found.status for name, found in found_users.items()} == {
        "dave": "unavailable", "ada": "fresh", "eve": "opted_out",
    }  # fmt: skip


@pytest.mark.parametrize(
    "hostile",
    [b"x" * 10_000_000, b"[" * 100_000, b"{" * 3_000, b'{"v":1}', b"\xff\xfe", b"", b'{"v":"1-1","value":"concise"}'],
    ids=["10 MB", "deep", "deep and short", "other types", "no UTF-8", "empty", "another schema"],
)
def test_hostile_value_costs_one_user_a_default(written: str, hostile: bytes) -> None:
    """Other users and other facets keep their signals."""
    live = KEYS.within("live")
    with redis.Redis.from_url(written, protocol=2) as client:
        client.hset(live.signals(_user("ada")), "tone", hostile)
        client.hset(live.signals(_user("eve")), "length", hostile)
    found_users = _read(written, "ada", "eve")
    assert set(found_users["ada"].signals) <= {"length"}
    assert found_users["ada"].choose("c").values["tone"] == found_users["eve"].choose("c").values["tone"] == "neutral"
    assert found_users["eve"].choose("c").values["length"] == "balanced"
    assert _read(written, "bob")["bob"].status == "opted_out"


def test_follows_a_cut_over(written: str, redis_client: redis.Redis) -> None:
    redis_client.set(KEYS.active, "shadow")
    assert _read(written, "ada")["ada"].status == "absent"
    with SignalReader(written, region="eu", secret=SECRET, namespace="live") as reader:
        assert reader.get("ada").status == "fresh"


MANY = ["ada", "new"] * 100
OWN_ANSWERS = {"ada": "fresh", "new": "absent"}


def _assert_own_signals(found: Sequence[Adaptation]) -> None:
    """Each user got their own signals, or defaults after a wait of 100 ms on a busy machine."""
    answered = [(who, a.status) for who, a in zip(MANY, found, strict=True) if a.status != "unavailable"]
    assert answered
    assert all(status == OWN_ANSWERS[who] for who, status in answered)


def test_one_reader_serves_many_threads(written: str) -> None:
    with SignalReader(written, region="eu", secret=SECRET) as reader, ThreadPoolExecutor(64) as threads:
        _assert_own_signals(list(threads.map(reader.get, MANY)))


def test_one_reader_serves_many_tasks(written: str) -> None:
    async def read() -> list[Adaptation]:
        async with AsyncSignalReader(written, region="eu", secret=SECRET) as reader:
            return await asyncio.gather(*[reader.get(who) for who in MANY])

    _assert_own_signals(asyncio.run(read()))


class Interrupted(BaseException):
    """Stands for KeyboardInterrupt."""


class SoftLimit(Exception):  # noqa: N818
    """Time limit of a task queue, raised by a signal handler."""


@pytest.mark.parametrize("kind", [Interrupted, SoftLimit, ValueError])
def test_read_that_is_interrupted_leaves_no_reply_to_the_next(
    written: str, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Interrupted between replies of a pipeline: the exception reaches the caller, the next read is correct."""
    with SignalReader(written, region="eu", secret=SECRET) as reader:
        reader.get("ada")
        [pool] = reader._transport._servers.pools.values()
        connection = pool.take()
        pool.give_back(connection)
        _interrupt(monkeypatch, connection, kind)
        with nullcontext() if kind is ValueError else pytest.raises(kind):
            reader.get_many(["ada", "bob"] * 3)
        monkeypatch.undo()
        assert {name: reader.get(name).status for name in STATUSES} == STATUSES


def test_async_reader_serves_event_loops_one_after_another_and_at_once(written: str) -> None:
    """A reader kept by a module lives longer than an event loop, and threads have loops of their own."""
    reader = AsyncSignalReader(written, region="eu", secret=SECRET)

    async def read_and_close() -> dict[str, str]:
        async with reader:
            return {name: (await reader.get(name)).status for name in STATUSES}

    assert [asyncio.run(read_and_close()) for _ in range(3)] == [STATUSES] * 3
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: asyncio.run(read_and_close()), range(20))) == [STATUSES] * 20


def test_async_reader_survives_an_event_loop_that_ended_with_open_connections(written: str) -> None:
    """Loops often end without `close`; the connections of ended loops are dropped, not gathered."""
    reader = AsyncSignalReader(written, region="eu", secret=SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(20):
            assert asyncio.run(reader.get("ada")).status == "fresh"
        assert len(reader._transport._by_loop) == 1
        del reader
        gc.collect()


@pytest.mark.parametrize("kind", [Interrupted, SoftLimit, ValueError])
def test_async_read_that_is_interrupted_leaves_no_reply_to_the_next(
    written: str, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    async def read() -> dict[str, str]:
        async with AsyncSignalReader(written, region="eu", secret=SECRET) as reader:
            await reader.get("ada")
            [pool] = reader._transport._servers.pools.values()
            connection = await pool.get_connection()
            await pool.release(connection)
            _interrupt(monkeypatch, connection, kind)
            with nullcontext() if kind is ValueError else pytest.raises(kind):
                await reader.get_many(["ada", "bob"] * 3)
            monkeypatch.undo()
            return {name: (await reader.get(name)).status for name in STATUSES}

    assert asyncio.run(read()) == STATUSES


STATUSES = {"cleo": "absent", "ada": "fresh", "bob": "opted_out"}


def _interrupt(monkeypatch: pytest.MonkeyPatch, connection: Any, kind: type[BaseException]) -> None:
    """Raise in place of the third reply, which is left unread."""
    read, left = connection.read_response, [3]

    def interrupted() -> object:
        left[0] -= 1
        if not left[0]:
            raise kind
        return read()

    monkeypatch.setattr(connection, "read_response", interrupted)


FORKED = """
import os, sys
from tacit import SignalReader
reader = SignalReader(sys.argv[1], region="eu", secret=sys.argv[2])
reader.get("ada")
child = os.fork()
name, status = ("ada", "fresh") if child else ("new", "absent")
own = {reader.get(name).status for _ in range(2_000)} - {"unavailable"} == {status}  # a busy machine may be late
if child == 0:
    os._exit(not own)
assert own and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_reader_made_before_a_fork_serves_both_processes(written: str) -> None:
    """Parent and child use connections of their own."""
    subprocess.run([sys.executable, "-c", FORKED, written, SECRET], check=True)


@contextmanager
def _stopped(server: EmbeddedRedis) -> Iterator[None]:
    assert server.pid is not None
    os.kill(server.pid, signals_of_unix.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signals_of_unix.SIGCONT)


@both
def test_server_that_hangs_is_given_up_soon(written: str, redis_server: EmbeddedRedis, read: Read) -> None:
    """A timeout of 100 ms; the rest of the bound is for a busy machine."""
    with _stopped(redis_server):
        began_s = time.monotonic()
        assert read(written, "ada")["ada"].status == "unavailable"
        assert time.monotonic() - began_s < 2
    assert read(written, "ada")["ada"].status == "fresh"


@both
def test_silent_server_gets_one_round_trip_for_many_users(read: Read) -> None:
    """After a failed round trip, the next hundreds of users get defaults at once."""
    asked = [f"user-{number}" for number in range(350)]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = read(f"redis://127.0.0.1:{silent.getsockname()[1]}", *asked)
        attempts = _waiting_connections(silent)
    assert list(found) == asked
    assert {adaptation.status for adaptation in found.values()} == {"unavailable"}
    assert attempts == 1


def _waiting_connections(server: socket.socket) -> int:
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


@both
@pytest.mark.parametrize("sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-MOVED nonsense\r\n", b"*1\r\n*0\r\n", b""])
def test_server_that_is_no_redis_gives_defaults(read: Read, sent: bytes) -> None:
    """No reply raises an error."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    with connection, suppress(OSError):
                        while connection.recv(4096):
                            connection.sendall(sent)
                            if not sent:
                                break

        thread = Thread(target=answer)
        thread.start()
        try:
            adaptation = read(f"redis://127.0.0.1:{server.getsockname()[1]}", "ada")["ada"]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert adaptation.signals == {}
    assert adaptation.choose("c").values["tone"] == "neutral"


@both
def test_server_that_fails_slowly_is_soon_not_asked_either(read: Read) -> None:
    """A server that stalls a TLS handshake and then closes gets one attempt per read, and each counts."""
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    accepted.append(1)
                    connection.settimeout(0.15)
                    with connection, suppress(OSError):
                        while connection.recv(4096):
                            pass

        thread = Thread(target=hang_up)
        thread.start()
        url = f"rediss://127.0.0.1:{server.getsockname()[1]}"
        try:
            found = read(url, "ada", times=FAILURES + 5)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert found["ada"].status == "unavailable"
    assert len(accepted) == FAILURES


def test_silent_server_soon_gets_one_attempt_per_second() -> None:
    """After three failures, one read per second sends."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with SignalReader(f"redis://127.0.0.1:{silent.getsockname()[1]}", region="eu", secret=SECRET) as reader:
            for _ in range(FAILURES):
                assert reader.get("ada").status == "unavailable"
            began_s = time.perf_counter()
            found = [reader.get("ada").status for _ in range(200)]
            took_s = time.perf_counter() - began_s
        assert _waiting_connections(silent) <= FAILURES + 1 + took_s / OPEN_FOR_S
    assert set(found) == {"unavailable"}


@both
def test_server_that_is_not_there_gives_defaults(read: Read) -> None:
    adaptation = read(f"redis://127.0.0.1:{free_port()}", "ada")["ada"]
    assert adaptation.status == "unavailable"
    assert adaptation.choose("c").values["tone"] == "neutral"


def test_reader_outlives_a_restart_of_the_server(redis_server: EmbeddedRedis, redis_client: redis.Redis) -> None:
    with SignalReader(redis_server.url, region="eu", secret=SECRET) as reader:
        assert reader.get("ada").status == "absent"
        redis_client.client_kill_filter(_type="normal", skipme=True)
        assert reader.get("ada").status == "absent"


def test_reader_finds_a_server_that_comes_back(tmp_path: Path) -> None:
    """Within a second or two, though the circuit was open."""
    path = tmp_path / "redis.sock"
    with EmbeddedRedis() as server, SignalReader(f"unix://{path}", region="eu", secret=SECRET) as reader:
        for _ in range(FAILURES + 1):
            assert reader.get("ada").status == "unavailable"
        path.symlink_to(server.url.removeprefix("unix://"))
        eventually(lambda: reader.get("ada").status == "absent", within_s=5, what="an answer")


@pytest.mark.parametrize("url", ["redis://", "redis://redis", "rediss://redis", "redis://reader:pw@redis/1"])
@pytest.mark.parametrize("kind", [SignalReader, AsyncSignalReader])
def test_url_may_leave_out_what_redis_py_knows(kind: type[SignalReader] | type[AsyncSignalReader], url: str) -> None:
    kind(url, region="eu", secret=SECRET)


@pytest.mark.parametrize(
    ("url", "region", "secret", "problem"),
    [
        ("http://redis", "eu", SECRET, "Redis URL"),
        ("redis://redis:port", "eu", SECRET, "Redis URL"),
        ("redis://redis/?unknown=1", "eu", SECRET, "Redis URL"),
        ("redis://redis/?protocol=3", "eu", SECRET, "Redis URL"),
        ("redis://redis/?decode_responses=true", "eu", SECRET, "Redis URL"),
        ("redis://redis/?encoding=latin-1", "eu", SECRET, "Redis URL"),
        ("rediss://redis/?ssl_cert_reqs=whatever", "eu", SECRET, "Redis URL"),
        ("redis://redis", "EU", SECRET, "region"),
        ("redis://redis", "eu", "short", "secret: 5 bytes"),
        ("redis://redis", "eu", b"x" * 65, "secret: 65 bytes"),
    ],
)
@pytest.mark.parametrize("kind", [SignalReader, AsyncSignalReader])
def test_argument_that_cannot_be_is_refused(
    kind: type[SignalReader] | type[AsyncSignalReader], url: str, region: str, secret: bytes | str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        kind(url, region=region, secret=secret)


def test_reader_imports_nothing_heavy() -> None:
    """The reader needs msgspec and redis-py: no engine, Kafka, River or pydantic."""
    listed = subprocess.run(
        [sys.executable, "-c", "import sys, tacit; print(*{name.partition('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert HEAVY.isdisjoint(listed)
