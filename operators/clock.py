"""The wall clock of the steps; the state never reads a clock."""

import time


def wall_clock_ms() -> int:
    """Return epoch milliseconds."""
    return time.time_ns() // 1_000_000
