"""Stop requests: SIGTERM and SIGINT end a run after a last checkpoint."""

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
        self._listeners: list[Callable[[], None]] = []

    def request(self) -> None:
        """Set `requested`, and call all listeners."""
        self.requested.set()
        for listener in self._listeners:
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
def stopped_by_signals() -> Iterator[Stop]:
    """Turn SIGTERM and SIGINT into stop requests; Bytewax takes no snapshot when a signal ends the process."""
    stop = Stop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.request()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
