"""Waits for a condition: the only place where tests let time pass."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


def eventually(condition: Callable[[], object], *, within_s: float, what: str) -> None:
    """Return once `condition()` is true; fail with the text `what` after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    pause = Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within_s:g} s in vain for {what}")
        pause.wait(0.02)


@contextmanager
def once(condition: Callable[[], object], then: Callable[[], object]) -> Iterator[None]:
    """Call `then` in another thread once a condition is true, while the block runs."""

    def watch() -> None:
        eventually(condition, within_s=5, what="the moment to act")
        then()

    thread = Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()
