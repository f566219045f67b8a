"""Slow clients: each ends within its limit, and the service answers others meanwhile."""

import re
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
import redis

from tacit.contract.keys import LIVE, RegionKeys
from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import UNLIMITED, Served, answer_from, served

SHORT_HEADER = {"tacit_service.server.HEADER_MS": 1000}
SHORT = {"tacit_service.http.bodies.BODY_S": 1.0, "tacit_service.http.listening.UNREAD_MS": 1000}
"""Shorter limits; the real ones are 10 s for a body, and 20 s."""
WITHIN_S = 60
CHANGES = RegionKeys("eu").within(LIVE).changes
ENTRY = ",".join(f"k1.{number:032x}" for number in range(128))
"""Users of a full entry of the feed."""
ROUND = 8
"""Full entries that the receive buffer of a connection has room for, also when its client does not read."""
SLOW = 50
MAX_GROWTH_MIB = 48
"""Growth of the process with the slow clients, each of some 0.4 MiB; the 1 MiB that each misses would show."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(BINARIES["redis-6.2"]) as found:
        yield found


@pytest.fixture(scope="module")
def feed(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, protocol=2) as client:
        yield client


@pytest.fixture(scope="module")
def service(server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("slow"), server.url, *UNLIMITED, limits=SHORT) as found:
        yield found


@pytest.fixture(scope="module")
def hasty(server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a service with little time for headers, which is too little for a client on a busy machine."""
    with served(tmp_path_factory.mktemp("hasty"), server.url, *UNLIMITED, limits=SHORT_HEADER) as found:
        yield found


def has_come(connection: socket.socket) -> bool:
    """Return True if the service has answered, or ended the connection."""
    poll = select.poll()  # select() takes no descriptor above 1,023
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def trickle(connection: socket.socket, data: bytes) -> bytes:
    """Send a byte every few milliseconds until the service answers or ends the connection; return its first bytes."""
    left = iter(data)
    found = b""

    def is_over() -> bool:
        nonlocal found
        if has_come(connection):
            with suppress(ConnectionResetError):
                found = connection.recv(65536)
            return True
        with suppress(ConnectionError):
            connection.sendall(bytes([next(left)]))
        return False

    eventually(is_over, within_s=WITHIN_S, what="the end of a slow request")
    return found


def test_headers_that_come_byte_by_byte_end_in_time(hasty: Served) -> None:
    """The time limit is one for all headers, so that a byte now and then does not extend it."""
    with closing(hasty.connect()) as connection:
        found = trickle(connection, b"GET /livez HTTP/1.1\r\nX-Slow: " + b"a" * 10_000)
    assert found == b"" or found.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))
    eventually(lambda: hasty.choose().status == 200, within_s=WITHIN_S, what="a choice")


def test_body_that_comes_byte_by_byte_ends_in_time(service: Served) -> None:
    """Likewise; with a length, and in chunks of one byte without an end."""
    long = service.head("POST", "/v1/choices", "Content-Type: application/json", "Content-Length: 60000")
    chunks = service.head("POST", "/v1/choices", "Content-Type: application/json", "Transfer-Encoding: chunked")
    for head, body in ((long, b" " * 60_000), (chunks, b"1\r\n \r\n" * 10_000)):
        with closing(service.connect()) as connection:
            connection.sendall(head)
            assert trickle(connection, body).startswith(b"HTTP/1.1 408")
    assert service.choose().status == 200


def test_many_slow_requests_do_not_hold_up_others(service: Served) -> None:
    """2,000 requests whose bodies do not come; others are answered before them, and so are these in time."""
    head = service.head("POST", "/v1/choices", "Content-Type: application/json", "Content-Length: 60000")

    def are_others_first() -> bool:
        with ExitStack() as stack:
            slow = [stack.enter_context(closing(service.connect())) for _ in range(2_000)]
            for connection in slow:
                connection.sendall(head)
            assert service.choose().status == 200
            is_late = has_come(slow[-1])
            assert answer_from(slow[-1]).status == 408
        return not is_late

    eventually(are_others_first, within_s=WITHIN_S, what="a choice before the time limit of the slow requests")


def test_idle_connection_ends(hasty: Served) -> None:
    """After the time for headers, before its first request and after one."""
    for first in (b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with hasty.connect() as connection, suppress(ConnectionError):
            connection.sendall(first)
            while connection.recv(65536):
                pass


def subscribe(service: Served) -> socket.socket:
    connection = service.connect()
    connection.sendall(service.head("GET", "/v1/changes", key="choose"))
    return connection


def subscribe_without_room(service: Served) -> socket.socket:
    """Return a stream whose connection has the smallest buffers: it is full after a few entries without a read."""
    connection = socket.socket()
    connection.settimeout(WITHIN_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    connection.connect(("127.0.0.1", service.port))
    connection.sendall(service.head("GET", "/v1/changes", key="choose"))
    return connection


def as_bytes(id_: bytes | str) -> bytes:
    """Return the id of an entry, as the client of Redis has it."""
    return id_ if isinstance(id_, bytes) else id_.encode()


def read_until(connection: socket.socket, *ends: bytes) -> bytes:
    """Read up to one of some texts, or to the end of the connection."""
    found = b""
    while not any(end in found for end in ends):
        part = connection.recv(65536)
        if not part:
            break
        found += part
    return found


def test_many_subscribers_get_a_change(service: Served, feed: redis.Redis) -> None:
    """1,200 of them, more than once held up all requests; their descriptors are back afterwards."""
    before = service.descriptors
    streams = [subscribe(service) for _ in range(1_200)]
    try:
        for stream in streams:
            assert read_until(stream, b": keep-alive").startswith(b"HTTP/1.1 200")
        assert service.choose().status == 200
        id_ = feed.xadd(CHANGES, {"users": "k1.00000000000000000000000000000001"})
        data = b'{"users":["k1.00000000000000000000000000000001"]}'
        expected = b"id: " + as_bytes(id_) + b"\nevent: changed\ndata: " + data + b"\n\n"
        for stream in streams:
            assert expected in read_until(stream, b"]}\n\n")
    finally:
        for stream in streams:
            stream.close()
    eventually(lambda: service.descriptors <= before + 5, within_s=WITHIN_S, what="the descriptors of closed streams")


def test_subscriber_that_does_not_read_is_dropped(service: Served, feed: redis.Redis) -> None:
    """A reader gets every entry meanwhile; the memory for the slow ones is bounded."""
    with closing(subscribe(service)) as reader, ExitStack() as stack:
        read_until(reader, b": keep-alive")
        slow = [stack.enter_context(closing(subscribe_without_room(service))) for _ in range(SLOW)]
        for each in slow:
            read_until(each, b": keep-alive")
        ends, memory = [service.end_of(each) for each in slow], service.rss_mib

        def are_dropped() -> bool:
            ids = [as_bytes(feed.xadd(CHANGES, {"users": ENTRY})) for _ in range(ROUND)]
            found = read_until(reader, b"id: " + ids[-1] + b"\n")
            assert re.findall(rb"^id: (.*)$", found, re.MULTILINE) == ids
            assert service.rss_mib - memory < MAX_GROWTH_MIB
            return not any(map(service.has_open, ends))

        eventually(are_dropped, within_s=WITHIN_S, what="the end of the slow streams")
    assert service.choose().status == 200


def test_entries_that_the_feed_lost_are_a_reset(service: Served, feed: redis.Redis) -> None:
    """The service stands still while more entries come than the feed keeps, as a suspended machine does."""
    with closing(subscribe(service)) as reader:
        read_until(reader, b": keep-alive")
        first = as_bytes(feed.xadd(CHANGES, {"users": "k1.00000000000000000000000000000001"}))
        read_until(reader, b"id: " + first)
        service.run.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(20):
                last = as_bytes(feed.xadd(CHANGES, {"users": ENTRY}, maxlen=10, approximate=False))
        finally:
            service.run.process.send_signal(signal.SIGCONT)
        assert b"event: reset" in read_until(reader, b"event: reset", b"id: " + last)


def test_service_ends_while_a_client_does_not_read(server: EmbeddedRedis, feed: redis.Redis, tmp_path: Path) -> None:
    """The limit for an answer that waits holds after SIGTERM, too."""
    with (
        served(tmp_path, server.url, limits=SHORT) as found,
        closing(subscribe(found)) as reader,
        closing(subscribe_without_room(found)) as slow,
    ):
        for stream in (reader, slow):
            read_until(stream, b": keep-alive")
        for _ in range(8):
            ids = [as_bytes(feed.xadd(CHANGES, {"users": ENTRY})) for _ in range(4 * ROUND)]
            read_until(reader, b"id: " + ids[-1] + b"\n")
        assert found.run.stop() == 0
