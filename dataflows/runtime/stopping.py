"""Stop requests: SIGTERM and SIGINT end a run after a last checkpoint, however often they come.

The C handler of Python writes each signal into a pipe, and a thread reads the pipe. So a request needs no lock that
the interrupted code may hold, and does not wait for the main thread to leave the engine.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Stop request of this process; a request is permanent."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.interrupted = False
        """True if the first request was a SIGINT (Ctrl-C)."""
        self._interrupts = 0
        self._listeners: list[Callable[[], None]] = []
        self._at_once: Callable[[], None] | None = None

    def request(self, number: int = signal.SIGTERM) -> None:
        """Set `requested`, and call all listeners; a second SIGINT calls the function of `ends_at_once`."""
        if number == signal.SIGINT:
            self.interrupted |= not self.requested.is_set()
            self._interrupts += 1
            if self._interrupts > 1 and self._at_once is not None:
                self._at_once()
        self.requested.set()
        for listener in tuple(self._listeners):
            listener()

    @contextmanager
    def notifies(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener at each request while the context lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def ends_at_once(self, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` at the second SIGINT while the context lasts."""
        self._at_once = end
        try:
            yield
        finally:
            self._at_once = None


class _Process:
    """Stop request of this process since `catch_signals`; None before."""

    stop: Stop | None = None


def catch_signals() -> Stop:
    """Turn SIGTERM and SIGINT into stop requests until the end of the process; later calls return the same request.

    Bytewax takes no snapshot when a signal ends the process.
    """
    if _Process.stop is None:
        _Process.stop = Stop()
        _watch(_Process.stop)
        for number in SIGNALS:
            signal.signal(number, _leave_to_thread)
    return _Process.stop


def ignore_signals() -> None:
    """Ignore SIGTERM and SIGINT from now on: the work is done, and a late signal must not change the exit status.

    At its exit, Python gives signals with a handler their default action back, and leaves ignored ones ignored.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Yield the stop request of this process; without `catch_signals`, the handlers are restored at the end."""
    if _Process.stop is not None:
        yield _Process.stop
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(-1)
    try:
        yield catch_signals()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(signal.set_wakeup_fd(descriptor))  # ends the thread
        _Process.stop = None


def _watch(stop: Stop) -> None:
    """Start the thread that turns the bytes of a pipe, which are the numbers of signals, into requests."""
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)  # signals of a full pipe repeat earlier ones

    def forward() -> None:
        with os.fdopen(receiver, "rb", buffering=0) as pipe:
            while numbers := pipe.read(64):
                for number in numbers:
                    if number in SIGNALS:
                        stop.request(number)

    threading.Thread(target=forward, name="signals", daemon=True).start()


def _leave_to_thread(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a handler in Python makes the C handler write into the pipe."""
