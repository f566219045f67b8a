"""Waiting for a fact instead of sleeping: the one place where tests let time pass."""

import time
from collections.abc import Callable
from threading import Event


def eventually(condition: Callable[[], object], *, within_s: float, what: str) -> None:
    """Return once `condition()` is true; fail, naming `what`, if it is not within `within_s`."""
    deadline = time.monotonic() + within_s
    pause = Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within_s:g} s in vain for {what}")
        pause.wait(0.02)
