"""Calls of an asynchronous library from threads, which a stop request ends."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedError
from typing import TypeVar

from state.errors import ObjectStoppedError

Result = TypeVar("Result")

_LOOK_S = 0.1
"""Time between two looks at the stop event."""


class _Loop:
    """Event loop of this process, in a thread that ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """Return the running loop."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="objects", daemon=True).start()
            return self._loop


_LOOP = _Loop()


class Calls:
    """Calls that end within a second after a stop request.

    Args:
        stop: the stop request; None: no request comes.
        subject: the store, for the error.
    """

    def __init__(self, stop: threading.Event | None, subject: str) -> None:
        self._stop = stop
        self._subject = subject

    def run(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Await a call in the event loop, and return its result.

        Raises:
            ObjectStoppedError: a stop was requested; the call is cancelled.
        """
        self.look()

        async def awaited() -> Result:
            return await call()

        future = asyncio.run_coroutine_threadsafe(awaited(), _LOOP.get())
        try:
            return self._result(future)
        finally:
            future.cancel()  # no effect on a finished one

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            ObjectStoppedError: a stop is requested.
        """
        (self._stop or threading.Event()).wait(seconds)
        self.look()

    def look(self) -> None:
        """Raise ObjectStoppedError if a stop is requested."""
        if self._stop is not None and self._stop.is_set():
            raise ObjectStoppedError(f"{self._subject}: the call ended because a stop was requested; start again")

    def _result(self, future: Future[Result]) -> Result:
        if self._stop is None:
            return future.result()
        while True:
            try:
                return future.result(_LOOK_S)
            except WaitedError:
                if future.done():
                    raise  # a timeout of the call
                self.look()
