"""End of a child process at the end of its parent."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None)  # loaded at import, because the child of a threaded process must not acquire locks


def die_with(parent: int) -> None:
    """Request SIGKILL from the kernel for the end of the thread that started this process (prctl(2), PR_SET_PDEATHSIG).

    Call it in the child, with the pid of the parent. Without prctl the call does nothing.
    """
    prctl = getattr(_LIBC, "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call of prctl
        os._exit(1)
