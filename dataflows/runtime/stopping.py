"""Being asked to stop: SIGTERM and SIGINT end a run in an orderly way, whatever it is doing at the moment."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether this process was asked to stop; once asked it stays asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    def ask(self) -> None:
        """Ask, and tell whoever listens."""
        self.asked.set()
        for listener in self._listeners:
            listener()

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have the listener called each time it is asked."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Let SIGTERM and SIGINT ask instead of ending the process, which Bytewax would not snapshot."""
    stop = Stop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.ask()

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
