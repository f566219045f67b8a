"""The benchmark of the delay of a live run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment

PROJECT = Path(__file__).parents[2]


@pytest.mark.usefixtures("broker")
def test_each_new_user_has_a_delay() -> None:
    """A tenth of the events are first answers of new users; the benchmark starts a broker of its own."""
    command = (sys.executable, "-m", "benchmarks.live", "--rate", "100", "--seconds", "2")
    done = subprocess.run(command, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "20 measured: p50 " in done.stdout
