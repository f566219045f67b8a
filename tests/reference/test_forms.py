"""Compiled and uncompiled, the core has the same results, and rows of the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from state.row.form import COMPILED

PROJECT = Path(__file__).resolve().parents[2]
STREAMS = "60"
RUN = """
import runpy, sys
if sys.argv.pop() == "uncompiled":
    import tests.support.core_sources
sys.argv[0] = "forms"
runpy.run_module("tests.reference.forms", run_name="__main__")
"""


def _hash(form: str) -> str:
    command = (sys.executable, "-c", RUN, STREAMS, form)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    printed, found = done.stdout.split()
    assert printed == form
    return found


def test_both_forms_are_equal() -> None:
    """Over random streams: outcomes, writes, examples, contents and rows."""
    if not COMPILED and os.environ.get("TACIT_COMPILE") != "1":
        pytest.skip("the core is not compiled here; TACIT_COMPILE=1 makes that a failure")
    assert _hash("compiled") == _hash("uncompiled")
