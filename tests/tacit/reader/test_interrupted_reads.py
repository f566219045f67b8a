"""Reads that a signal handler interrupts: every later read gets the replies of its own user, without a wait."""

import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread
from types import FrameType
from typing import Any

import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit import Adaptation, SignalReader
from tacit.contract.pseudonyms import pseudonym
from tests.support.sample_signals import NOW_MS, write
from tests.support.sample_signals import signal as make_signal

SECRET = "a secret of tests"
USERS = [f"user-{number}" for number in range(60)]
INTERRUPTIONS = 100
DEADLINE_S = 60.0
MAX_WAIT_S = 2.0
"""A read lasts 0.3 s at most; the rest is for a busy machine."""


class SoftLimit(Exception):  # noqa: N818  as task queues have it
    """Time limit of a task, raised by a signal handler."""


class HardLimit(BaseException):
    """As KeyboardInterrupt."""


def _name(kind: type[BaseException]) -> str:
    return "redis.TimeoutError" if kind is redis.TimeoutError else kind.__name__


@pytest.fixture
def url(redis_url: str) -> str:
    """Return a Redis in which each user has a version of their own."""
    with closing(SignalWriter(Target(redis_url, "eu"), SinkCounters())) as writer:
        writer.write(
            [
                write(("length", make_signal("concise", NOW_MS, seq)), user=pseudonym(name, SECRET.encode()))
                for seq, name in enumerate(USERS)
            ]
        )
    return redis_url


def _is_own(name: str, adaptation: Adaptation) -> bool:
    """Return whether the replies are those of this user; defaults of a late reply are allowed."""
    if adaptation.status == "unavailable":
        return True
    return adaptation.signals["length"] == make_signal("concise", NOW_MS, USERS.index(name))


class Interruption:
    """Trace function that raises an exception at one event: before a line, or as a function returns."""

    def __init__(self, at: int, kind: type[BaseException]) -> None:
        self._at = at
        self._kind = kind
        self.events = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_name == "__del__":  # Python ignores exceptions there
            return None
        self.events += event in ("line", "return")
        if self.events > self._at:
            self._at = sys.maxsize
            raise self._kind
        return self


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets interrupted in `connect`
@pytest.mark.parametrize("kind", [HardLimit, TimeoutError, redis.TimeoutError], ids=_name)
@pytest.mark.parametrize(("is_connected", "step"), [(True, 1), (False, 41)], ids=["connected", "connecting"])
def test_read_can_be_interrupted_anywhere(
    url: str, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], step: int, *, is_connected: bool
) -> None:
    """At every line and every return of a read, redis-py's included; of 8,000 events of connecting, at every 41st."""
    monkeypatch.setattr("tacit.reader.pool.MAX_CONNECTIONS", 1)
    for limit in ("TIMEOUT_S", "CONNECT_TIMEOUT_S"):  # a busy machine must not look like a Redis that is away
        monkeypatch.setattr(f"tacit.reader.transport.{limit}", DEADLINE_S)
    at, was_interrupted = 0, True
    reader = SignalReader(url, region="eu", secret=SECRET)
    while was_interrupted:
        if is_connected:
            reader.get(USERS[0])
        else:
            reader.close()
        interruption = Interruption(at, kind)
        with suppress(kind):
            sys.settrace(interruption)
            try:
                reader.get_many(USERS[:3])
            finally:
                sys.settrace(None)
        was_interrupted = interruption.events > at
        started_s = time.monotonic()
        found = reader.get_many(USERS[3:6])
        assert time.monotonic() - started_s < MAX_WAIT_S
        assert all(_is_own(name, found[name]) and found[name].status != "unavailable" for name in USERS[3:6]), at
        at += step
    reader.close()
    assert at > 100


@contextmanager
def _alarms(kind: type[BaseException], seed: int) -> Iterator[list[int]]:
    """Raise exceptions of this kind in the main thread, 0.05 to 3 ms apart, and count them."""
    rng, raised = random.Random(seed), [0]

    def interrupt(*_: object) -> None:
        raised[0] += 1
        raise kind

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        del rng


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets interrupted in `connect`
@pytest.mark.parametrize("kind", [SoftLimit, HardLimit, TimeoutError, ValueError, redis.TimeoutError], ids=_name)
def test_no_read_gets_replies_of_another_user(
    url: str, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Two connections serve the interrupted thread and three others, and are all free in the end."""
    monkeypatch.setattr("tacit.reader.pool.MAX_CONNECTIONS", 2)
    wrong: list[str] = []
    waits_s: list[float] = []
    stop = Event()
    with SignalReader(url, region="eu", secret=SECRET) as reader:

        def read_all(rng: random.Random) -> None:
            names = rng.sample(USERS, rng.randint(1, 5))
            started_s = time.monotonic()
            found = reader.get_many(names)
            waits_s.append(time.monotonic() - started_s)
            wrong.extend(name for name, adaptation in found.items() if not _is_own(name, adaptation))

        def read_until_stop(seed: int) -> None:
            rng = random.Random(seed)
            while not stop.is_set():
                read_all(rng)

        threads = [Thread(target=read_until_stop, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        rng = random.Random(7)
        until_s = time.monotonic() + DEADLINE_S
        with _alarms(kind, 7) as raised:
            while raised[0] < INTERRUPTIONS and time.monotonic() < until_s:
                try:
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(50e-6, 3e-3))
                    read_all(rng)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except kind:
                    pass
        stop.set()
        for thread in threads:
            thread.join(MAX_WAIT_S)
        assert not any(thread.is_alive() for thread in threads)
        assert raised[0] >= INTERRUPTIONS
        assert wrong == []
        assert max(waits_s) < MAX_WAIT_S
        assert all(_is_own(name, reader.get(name)) for name in USERS)
        [pool] = reader._transport._servers.pools.values()
        connections = [pool.take() for _ in range(2)]
        for connection in connections:
            pool.give_back(connection)
