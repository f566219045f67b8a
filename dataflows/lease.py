"""Lease of a live run on its namespace, as each process of the run sees it.

The main process extends the lease; before a batch of writes every process compares the end of the lease with a clock
that runs on while the process or the machine sleeps. A run that slept for longer than its lease so writes nothing until
Redis has confirmed that no other run took the namespace.
"""

import time
from multiprocessing import get_context
from threading import Event

from state.errors import OwnershipError, SinkError

_LOOK_EVERY_S = 0.05
_LOST = -1.0
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Clock that counts the sleep of the machine where there is one, and is the same in all processes."""


def now_s() -> float:
    """Return the present time of leases."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """End of a lease, shared by the processes of a run; multiprocessing hands it to a process that it starts."""

    def __init__(self) -> None:
        self._until = get_context("spawn").Value("d", 0.0, lock=False)  # one aligned double: one writer, no tearing

    def extend(self, until_s: float) -> None:
        """Set the end of the lease; a lost lease stays lost."""
        if not self.is_lost:
            self._until.value = until_s

    def lose(self) -> None:
        """Forbid all further writes."""
        self._until.value = _LOST

    @property
    def is_lost(self) -> bool:
        """True once another run has the namespace."""
        return float(self._until.value) == _LOST

    @property
    def holds(self) -> bool:
        """True while the lease has not ended."""
        return now_s() < float(self._until.value)

    def require(self, wait_s: float) -> None:
        """Return while the lease holds; after its end, wait until the main process has extended the lease.

        Raises:
            OwnershipError: another run has the namespace.
            SinkError: the lease was not extended in time.
        """
        if self.holds:
            return
        deadline_s, pause = now_s() + wait_s, Event()
        while not self.holds:
            if self.is_lost:
                raise OwnershipError("another run has the namespace of this run, which wrote nothing since")
            if now_s() > deadline_s:
                raise SinkError(
                    f"Redis did not confirm within {wait_s:g} s that the namespace belongs to this run: "
                    "check the network and the server"
                )
            pause.wait(_LOOK_EVERY_S)
