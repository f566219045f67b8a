"""A reader's connections: bounded, each with one user. Forks are in `test_reader`."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from tacit.reader.connections import Connections
from tacit.reader.dialogue import Reply


class Plug:
    """Stands for a connection, and notes that it was closed."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.is_closed = False
        self.lock = Lock()

    def send_packed_command(self, command: Sequence[bytes]) -> None: ...
    def read_response(self) -> Reply: ...
    def can_read(self, timeout: float) -> bool: ...  # type: ignore[empty-body]
    def disconnect(self) -> None:
        self.is_closed = True


def test_idle_connection_is_taken_before_one_is_made() -> None:
    connections = Connections(Plug, 3, 0)
    first = connections.take()
    assert first is not None
    connections.give(first)
    assert connections.take() is first
    assert connections.take() is not first


def test_connection_that_is_never_given_back_leaves_its_place() -> None:
    """When it is collected: an interrupted read cannot use up what there is."""
    connections = Connections(Plug, 1, 0)
    assert all(connections.take() is not None for _ in range(10))


def test_there_are_only_so_many() -> None:
    """Who asks for one more gets none, and gets one when one is given back."""
    connections = Connections(Plug, 2, 0.001)
    one, other = connections.take(), connections.take()
    assert one is not None
    assert other is not None
    assert connections.take() is None
    connections.give(one)
    assert connections.take() is one


def test_nobody_gets_a_connection_that_another_thread_uses() -> None:
    connections = Connections(Plug, 4, 10)

    def use(_: int) -> bool:
        plug = connections.take()
        assert isinstance(plug, Plug)
        is_alone = plug.lock.acquire(blocking=False)
        plug.lock.release()
        connections.give(plug)
        return is_alone

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(use, range(2_000)))


def test_closed_ones_can_be_taken_again() -> None:
    """They connect anew when they are used; one in use is not touched."""
    connections = Connections(Plug, 2, 0)
    used, idle = connections.take(), connections.take()
    assert isinstance(used, Plug)
    assert isinstance(idle, Plug)
    connections.give(idle)
    connections.close()
    assert (used.is_closed, idle.is_closed) == (False, True)
    connections.give(used)
    assert connections.take() is used
    other = connections.take()
    assert other is not None
    assert connections.take() is None


def test_dropped_connection_is_closed_and_leaves_its_place() -> None:
    """Replies may still come on it."""
    connections = Connections(Plug, 1, 0)
    first = connections.take()
    assert isinstance(first, Plug)
    connections.drop(first)
    assert first.is_closed
    second = connections.take()
    assert second is not None
    assert second is not first
