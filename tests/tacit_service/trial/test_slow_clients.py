"""Slow clients: each ends within its limit, and the service answers others meanwhile."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
import redis

from tacit.contract.keys import LIVE, RegionKeys
from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import UNLIMITED, Served, answer_from, served

LIMITS = {
    "tacit_service.server.HEADER_MS": 1000,
    "tacit_service.http.bodies.BODY_S": 1.0,
    "tacit_service.server.UNREAD_MS": 1000,
}
"""Shorter limits; the real ones are 10 s for a body, and 30 s."""
WITHIN_S = 20
CHANGES = RegionKeys("eu").within(LIVE).changes
ENTRY = ",".join(f"k1.{number:032x}" for number in range(128))
"""Users of a full entry of the feed."""


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
    with served(tmp_path_factory.mktemp("slow"), server.url, *UNLIMITED, limits=LIMITS) as found:
        yield found


def trickle(connection: socket.socket, data: bytes) -> bytes:
    """Send a byte every few milliseconds until the service answers or ends the connection; return its first bytes."""
    left = iter(data)
    found = b""

    def is_over() -> bool:
        nonlocal found
        readable, _, _ = select.select([connection], [], [], 0)
        if readable:
            with suppress(ConnectionResetError):
                found = connection.recv(65536)
            return True
        with suppress(ConnectionError):
            connection.sendall(bytes([next(left)]))
        return False

    eventually(is_over, within_s=WITHIN_S, what="the end of a slow request")
    return found


def test_headers_that_come_byte_by_byte_end_in_time(service: Served) -> None:
    """The time limit is one for all headers, so that a byte now and then does not extend it."""
    with closing(service.connect()) as connection:
        found = trickle(connection, b"GET /livez HTTP/1.1\r\nX-Slow: " + b"a" * 10_000)
    assert found == b"" or found.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))
    assert service.choose().status == 200


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
    """2,000 requests whose bodies do not come; others are answered, and so are these at the end of their time."""
    head = service.head("POST", "/v1/choices", "Content-Type: application/json", "Content-Length: 60000")
    slow = [service.connect() for _ in range(2_000)]
    try:
        for connection in slow:
            connection.sendall(head)
        assert service.choose().status == 200
        assert answer_from(slow[-1]).status == 408
    finally:
        for connection in slow:
            connection.close()


def test_idle_connection_ends(service: Served) -> None:
    """After the time for headers, before its first request and after one."""
    for first in (b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with service.connect() as connection:
            connection.sendall(first)
            while connection.recv(65536):
                pass


def subscribe(service: Served) -> socket.socket:
    connection = service.connect()
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
    """A reader gets every entry meanwhile; the memory for the slow one is bounded."""
    with closing(subscribe(service)) as reader, ExitStack() as stack:
        read_until(reader, b": keep-alive")
        before, memory = service.descriptors, service.rss_mib
        slow = stack.enter_context(closing(subscribe(service)))
        read_until(slow, b": keep-alive")

        def is_dropped() -> bool:
            last = feed.xadd(CHANGES, {"users": ENTRY}, maxlen=4096, approximate=True)
            for _ in range(100):
                last = feed.xadd(CHANGES, {"users": ENTRY}, maxlen=4096, approximate=True)
            assert read_until(reader, b"id: " + as_bytes(last), b"event: reset")
            return service.descriptors <= before

        eventually(is_dropped, within_s=30, what="the end of the slow stream")
    assert service.rss_mib - memory < 32
    assert service.choose().status == 200
