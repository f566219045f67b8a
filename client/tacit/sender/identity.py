"""Ids and times that events get by default."""

import os
import time


def new_id() -> str:
    """Return a new id: 32 characters of `0-9a-f`, also different in a forked process."""
    return os.urandom(16).hex()


def now_ms() -> int:
    """Return the current time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
