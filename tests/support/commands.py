"""The `tacit` command as real processes that tests start, stop and kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from tests.support.conditions import eventually
from tests.support.forked_command import COLUMNS, run_forked

TACIT = Path(sys.executable).with_name("tacit")
SECRET = "0123456789abcdef0123456789abcdef"
WITHIN_S = 60
_STOP_S = 20

Limits = Mapping[str, float | str]
"""Constants to replace in a command, by module and name; shorter limits keep tests fast. A text is an expression."""
NONE: Limits = {}

_OF_A_RUN: Any = (":owner", ":hosts", ":changes"), (b":owner", b":hosts", b":changes")
"""Ends of keys with a description of the run or of its course, as text and as bytes."""


class Running:
    """A `tacit` command in a separate process group: one kill ends the whole cluster."""

    def __init__(self, words: list[str], log: Path, limits: Limits, variables: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                _command(words, limits),
                stdout=out,
                stderr=out,
                cwd=log.parent,
                env=environment() | dict(variables or {}),
                start_new_session=True,
            )

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Return once `condition()` is true; fail with the output after a time limit or the end of the command."""

        def is_met() -> bool:
            is_running = self.process.poll() is None
            is_true = bool(condition())
            assert is_true or is_running, f"the command ended with status {self.process.returncode} before {what}"
            return is_true

        try:
            eventually(is_met, within_s=WITHIN_S, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.output[-2000:]}") from None

    def stop(self) -> int:
        """Send SIGTERM, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_S)

    @property
    def group(self) -> list[int]:
        """Pids of all living processes of the command, in the order of their start."""
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return sorted(pid for pid in pids if _stat(pid)[2:3] == [str(self.process.pid)] and _stat(pid)[0] != "Z")

    @property
    def workers(self) -> list[int]:
        """Pids of the workers, if there are several, in the order of their start."""
        return [pid for pid in self.group if b"spawn_main" in _command_of(pid)]

    def kill(self) -> None:
        """Kill all processes of the command (SIGKILL)."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOP_S)

    @property
    def output(self) -> str:
        """Output and log lines of this command; earlier commands may share the file."""
        return self.log.read_bytes()[self._begin :].decode()


@contextmanager
def running(words: list[str], log: Path, limits: Limits = NONE, **variables: str) -> Iterator[Running]:
    """Run a command in the folder of its log, and kill it at the end of the block."""
    run = Running(words, log, limits, variables)
    try:
        yield run
    finally:
        run.kill()


def tacit(
    *words: str, cwd: Path | None = None, limits: Limits = NONE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, at most two minutes.

    The process is forked from one with all its imports done, unless there are other variables than Tacit's own.
    """
    if all(name.startswith("TACIT_") for name in variables):
        return run_forked(words, _changes(limits), environment() | variables, cwd)
    return new_tacit(*words, cwd=cwd, limits=limits, **variables)


def new_tacit(
    *words: str, cwd: Path | None = None, limits: Limits = NONE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a new process, which has no imports but its own."""
    return subprocess.run(
        _command(words, limits),
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment() | variables,
        check=False,
        timeout=120,
    )


def environment() -> dict[str, str]:
    """Return an environment with a secret, and without other settings of Tacit."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    return kept | {"TACIT_SECRET": SECRET, "COLUMNS": COLUMNS, "TACIT_POPULATION": "none"}


def _command(words: Sequence[str], limits: Limits) -> list[str]:
    if not limits:
        return [str(TACIT), *words]
    return [sys.executable, "-c", f"{_changes(limits)}from tacit_cli.__main__ import main; main()", *words]


def _changes(limits: Limits) -> str:
    return "".join(f"import {name.rpartition('.')[0]}; {name} = {value}; " for name, value in limits.items())


def everything_in(client: redis.Redis) -> dict[str, Any]:
    """Return all contents of a Redis: hashes as dicts, sets as sets, strings as they are.

    A key that a running worker deletes meanwhile is left out, and so are owners, hosts and feeds of namespaces: each
    run is another.
    """
    found = sorted(client.scan_iter(count=1000))
    keys = [key for key in found if not key.endswith(_OF_A_RUN[isinstance(key, bytes)])]
    with client.pipeline(transaction=False) as asked:  # two round trips: waits read everything many times
        for key in keys:
            asked.type(key)
        kinds = {key: kind for key, kind in zip(keys, asked.execute(), strict=True) if kind not in ("none", b"none")}
        for key, kind in kinds.items():
            read = {"hash": asked.hgetall, "set": asked.smembers, "string": asked.get}
            read[kind.decode() if isinstance(kind, bytes) else kind](key)
        contents = zip(kinds, asked.execute(), strict=True)
    return {key: content for key, content in contents if content not in (None, {}, set())}


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat (proc(5)) from the state on; none for an ended process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
