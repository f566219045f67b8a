"""CPU of a command: all processes that it starts count, and none outlives the measurement."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.process_tree import CommandFailedError, usage

BURNT_S = 0.3
BURN = f"import time\nwhile time.process_time() < {BURNT_S}: pass"


def _usage(code: str, folder: Path) -> float:
    return usage([sys.executable, "-c", code], os.environ, folder / "log").cpu_s


def test_cpu_of_a_process_started_by_the_command_counts(tmp_path: Path) -> None:
    """The command itself only waits."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
    assert _usage(code, tmp_path) >= BURNT_S


def test_process_that_the_command_leaves_behind_is_ended_and_counted(tmp_path: Path) -> None:
    """A JVM outlives the command that started it."""
    left = f"{BURN}\nprint(flush=True)\ninput()"
    code = (
        "import subprocess, sys, pathlib\n"
        "pipe = subprocess.PIPE\n"
        f"left = subprocess.Popen([sys.executable, '-c', {left!r}], stdin=pipe, stdout=pipe)\n"
        "left.stdout.readline()\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(left.pid))\n"
        "import os; os._exit(0)"
    )
    assert _usage(code, tmp_path) >= BURNT_S
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


def test_failed_command_is_an_error_with_its_output(tmp_path: Path) -> None:
    """A benchmark does not print the cost of a run that failed."""
    with pytest.raises(CommandFailedError, match="out of order"):
        _usage("raise SystemExit('out of order')", tmp_path)
