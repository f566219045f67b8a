"""CPU and duration of a command with all processes that it starts."""

import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import in_new_process

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None)


class Usage(NamedTuple):
    """Use of the machine by a command."""

    cpu_s: float
    """User and system time of all processes."""
    wall_s: float


class CommandFailedError(Exception):
    """A command ended with a status other than 0; the message has the end of its output."""


def usage(command: Sequence[str], variables: Mapping[str, str], log: Path) -> Usage:
    """Run a command to its end, in the current folder, and return its usage.

    Args:
        command: the program and its arguments.
        variables: the whole environment.
        log: file for the output.

    Raises:
        CommandFailedError: the command failed.
    """
    return in_new_process(_usage, list(command), dict(variables), log)


def _usage(command: list[str], variables: dict[str, str], log: Path) -> Usage:
    """Measure the children of this process, which adopts the children that they leave behind."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    started_s = time.perf_counter()
    with log.open("wb") as output:
        status = subprocess.run(command, env=variables, stdout=output, stderr=output, check=False).returncode
    wall_s = time.perf_counter() - started_s
    _end_children()
    if status:
        raise CommandFailedError(f"{' '.join(command)} ended with {status}: {log.read_text(errors='replace')[-2000:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Usage(used.ru_utime + used.ru_stime, wall_s)


def _end_children() -> None:
    """End the processes that the command left behind, such as a JVM, so that their CPU is counted."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
    with suppress(ChildProcessError):
        while True:
            os.wait()
