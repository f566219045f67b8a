"""Limit of the bytes that a process sends to object storage per second, for all that it sends."""

from collections.abc import Callable
from time import monotonic

_MIB = 1024 * 1024


class SendRate:
    """Rate that an average keeps: each object waits for the time that the objects before it take at the rate.

    Args:
        mib: MiB per second; None: no limit.
        pause: waits some seconds.
    """

    def __init__(self, mib: float | None, pause: Callable[[float], None]) -> None:
        self._rate = mib and mib * _MIB
        self._pause = pause
        self._free_s = 0.0
        """`monotonic()` from which the next bytes may go."""

    def admit(self, size: int) -> None:
        """Wait until some bytes may go."""
        if not self._rate:
            return
        now_s = monotonic()
        if self._free_s > now_s:
            self._pause(self._free_s - now_s)
        self._free_s = max(self._free_s, now_s) + size / self._rate
