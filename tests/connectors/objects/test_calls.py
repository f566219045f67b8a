"""Calls of an asynchronous library from threads."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.objects.calls import Calls
from state.errors import ObjectStoppedError
from tests.support.conditions import eventually, once


async def _one() -> int:
    return 1


async def _failing() -> int:
    raise TimeoutError("of the call")


@pytest.mark.parametrize("stop", [None, threading.Event()])
def test_result_and_error_reach_the_caller(stop: threading.Event | None) -> None:
    calls = Calls(stop, "store")
    assert calls.run(_one) == 1
    with pytest.raises(TimeoutError, match="of the call"):
        calls.run(_failing)


def test_threads_wait_at_the_same_time() -> None:
    calls = Calls(None, "store")
    barrier = threading.Barrier(4)

    async def meet() -> None:
        await asyncio.to_thread(barrier.wait, 5)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: calls.run(meet), range(4)))


def test_stop_cancels_the_call() -> None:
    stop, begun, cancelled = threading.Event(), threading.Event(), threading.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with once(begun.is_set, stop.set), pytest.raises(ObjectStoppedError, match="store: the call ended because a stop"):
        Calls(stop, "store").run(endless)
    eventually(cancelled.is_set, within_s=5, what="the end of the call")


def test_stop_ends_a_pause() -> None:
    stop = threading.Event()
    started = time.monotonic()
    with once(lambda: True, stop.set), pytest.raises(ObjectStoppedError):
        Calls(stop, "store").pause(60)
    assert time.monotonic() - started < 5
