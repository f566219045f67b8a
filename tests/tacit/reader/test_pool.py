"""tacit/reader/pool: a connection has one user at a time, and no unread reply. `test_reader` has forks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Lock
from typing import Any

import pytest
import redis

from tacit.reader.pipeline import Connection, pack
from tacit.reader.pool import MAX_CONNECTIONS, NoFreeConnectionError, ReaderPool


@pytest.fixture
def pool(redis_url: str) -> Iterator[ReaderPool]:
    template = redis.ConnectionPool.from_url(redis_url, protocol=2)
    with closing(ReaderPool(template.connection_class, template.connection_kwargs)) as opened:
        opened.timeout = 0.01
        yield opened


def _ping(connection: Connection) -> object:
    connection.send_packed_command(pack([("PING",)]))
    return connection.read_response()


def test_free_connection_is_reused(pool: ReaderPool) -> None:
    first = pool.take()
    pool.give_back(first)
    assert pool.take() is first
    assert pool.take() is not first


def test_number_of_connections_is_limited(pool: ReaderPool) -> None:
    """A freed connection ends the shortage."""
    in_use = [pool.take() for _ in range(MAX_CONNECTIONS)]
    with pytest.raises(NoFreeConnectionError):
        pool.take()
    pool.give_back(in_use[0])
    assert pool.take() is in_use[0]
    for connection in in_use:
        pool.give_back(connection)


def test_released_connection_loses_its_unread_reply_and_keeps_its_place(pool: ReaderPool) -> None:
    for _ in range(2 * MAX_CONNECTIONS):
        connection = pool.take()
        connection.send_packed_command(pack([("ECHO", "of another user")]))
        pool.release(connection)
        connection = pool.take()
        assert _ping(connection) == b"PONG"
        pool.give_back(connection)


def test_free_connection_with_an_unread_reply_is_reopened(pool: ReaderPool) -> None:
    connection = pool.take()
    connection.send_packed_command(pack([("ECHO", "of another user")]))
    assert connection.can_read(1.0)
    pool.give_back(connection)
    connection = pool.take()
    assert _ping(connection) == b"PONG"
    pool.give_back(connection)


def test_connection_that_the_server_closed_is_reopened(pool: ReaderPool) -> None:
    closed, other = pool.take(), pool.take()
    other.send_packed_command(pack([("CLIENT", "KILL", "SKIPME", "yes")]))
    other.read_response()
    with suppress(redis.ConnectionError):
        closed.can_read(1.0)
    pool.give_back(closed)
    again = pool.take()
    assert again is closed
    assert _ping(again) == b"PONG"
    for connection in (again, other):
        pool.give_back(connection)


def test_connection_that_is_interrupted_while_it_connects_is_closed(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply to AUTH or SELECT may still arrive."""

    def interrupted(connection: Any, **_: object) -> None:
        connection.send_command("ECHO", "reply of the handshake", check_health=False)
        raise KeyboardInterrupt

    monkeypatch.setattr(pool.connection_class, "on_connect_check_health", interrupted)
    for _ in range(MAX_CONNECTIONS + 1):
        with pytest.raises(KeyboardInterrupt):
            pool.take()
    monkeypatch.undo()
    connection = pool.take()
    assert _ping(connection) == b"PONG"
    pool.give_back(connection)


def test_closed_connection_is_replaced(pool: ReaderPool) -> None:
    connection = pool.take()
    pool.give_back(connection)
    pool.close()
    again = pool.take()
    assert _ping(again) == b"PONG"
    assert again is connection
    pool.give_back(again)


def test_connection_has_one_user_at_a_time(pool: ReaderPool) -> None:
    pool.timeout = 10
    locks: dict[int, Lock] = {}

    def use(_: int) -> bool:
        connection = pool.take()
        lock = locks.setdefault(id(connection), Lock())
        is_alone = lock.acquire(blocking=False)
        lock.release()
        pool.give_back(connection)
        return is_alone

    with ThreadPoolExecutor(2 * MAX_CONNECTIONS) as threads:
        assert all(threads.map(use, range(2_000)))
