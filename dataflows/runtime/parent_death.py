"""End of a child process at the end of its parent."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None)  # loaded at import, because the child of a threaded process must not acquire locks


def die_with(parent: int) -> None:
    """Make the kernel send SIGKILL to the calling process at the end of the parent's thread that started the process.

    The call is prctl(2), PR_SET_PDEATHSIG, in the child, with the pid of the parent. Without prctl it has no effect.
    """
    prctl = getattr(_LIBC, "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call of prctl
        os._exit(1)
