"""The `tacit` command, forked from a process with all its imports done: a tenth of the time of a start."""

import atexit
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from tempfile import TemporaryDirectory

from tacit_cli.app import COMMANDS

WITHIN_S = 120
COLUMNS = "120"
"""Width of a command's output."""

_PRELOADED = ["tacit_cli.__main__", "tacit_lab.embedded", *(lazy.module for lazy in COMMANDS.values())]


def run_forked(
    words: Sequence[str], changes: str, variables: Mapping[str, str], cwd: Path | None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, after `changes`, which are statements.

    Modules that another command imports are there, so whether a command imports its own is no matter of such a run.
    """
    server = _server()
    with TemporaryDirectory(prefix="tacit-command-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = server.Process(target=_run, args=(list(words), changes, dict(variables), cwd or Path.cwd(), out, err))
        process.start()
        process.join(WITHIN_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["tacit", *words], WITHIN_S, out.read_bytes(), err.read_bytes())
        status = process.exitcode
        process.close()
        return subprocess.CompletedProcess(["tacit", *words], status, out.read_text("utf-8"), err.read_text("utf-8"))


@cache
def _server() -> ForkServerContext:
    """Start the process to fork from; a console that is made by an import has the width of all commands of tests."""
    server = get_context("forkserver")
    server.set_forkserver_preload(_PRELOADED)
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        ensure_running()
    finally:
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return server


def _run(words: list[str], changes: str, variables: dict[str, str], cwd: Path, out: Path, err: Path) -> None:
    """Become the command: arguments, environment, folder and streams are those of a new process."""
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", write_through=False)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", line_buffering=True)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(cwd)
    sys.argv = ["tacit", *words]
    exec(changes)  # noqa: S102  # limits of a test
    from tacit_cli.__main__ import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()
