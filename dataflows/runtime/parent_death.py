"""A child process that does not outlive its parent."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None)  # loaded at import: the child of a threaded process must not take locks


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the thread that started this process ends (prctl(2), PR_SET_PDEATHSIG).

    To be called in the child, `parent` being the pid it was started by. A no-op where there is no prctl.
    """
    prctl = getattr(_LIBC, "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call above
        os._exit(1)
