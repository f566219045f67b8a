"""The command line as real processes, for tests that start, stop and kill it."""

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

TACIT = Path(sys.executable).with_name("tacit")
SECRET = "0123456789abcdef0123456789abcdef"
WITHIN_S = 60
_STOP_S = 20

Limits = Mapping[str, float]
"""Constants that a command is to have other than they are, by module and name, so that no test waits for long."""
NONE: Limits = {}


class Running:
    """A `tacit` command in a process group of its own, so that a kill takes the whole cluster."""

    def __init__(self, words: list[str], log: Path, limits: Limits) -> None:
        self.log = log
        self._begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                _command(words, limits),
                stdout=out,
                stderr=out,
                cwd=log.parent,
                env=environment(),
                start_new_session=True,
            )

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Return once `condition()` is true; fail with what it printed last if it ends before, or takes too long."""

        def is_met() -> bool:
            is_running = self.process.poll() is None
            is_true = bool(condition())
            assert is_true or is_running, f"it ended with status {self.process.returncode} before {what}"
            return is_true

        try:
            eventually(is_met, within_s=WITHIN_S, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.output[-2000:]}") from None

    def stop(self) -> int:
        """Ask it to stop as an operator does, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_S)

    @property
    def group(self) -> list[int]:
        """The pids of all its living processes, in the order they were started."""
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return sorted(pid for pid in pids if _stat(pid)[2:3] == [str(self.process.pid)] and _stat(pid)[0] != "Z")

    @property
    def workers(self) -> list[int]:
        """The pids of its workers, if it has several, in the order they were started."""
        return [pid for pid in self.group if b"spawn_main" in _command_of(pid)]

    def kill(self) -> None:
        """Kill it and all of its processes with -9."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOP_S)

    @property
    def output(self) -> str:
        """What it has printed and logged; runs before it in the same log have theirs."""
        return self.log.read_bytes()[self._begin :].decode()


@contextmanager
def running(words: list[str], log: Path, limits: Limits = NONE) -> Iterator[Running]:
    """Run a command in the folder of its log, and leave nothing of it behind."""
    run = Running(words, log, limits)
    try:
        yield run
    finally:
        run.kill()


def tacit(
    *words: str, cwd: Path | None = None, limits: Limits = NONE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        _command(words, limits),
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment() | variables,
        check=False,
        timeout=120,
    )


def _command(words: Sequence[str], limits: Limits) -> list[str]:
    if not limits:
        return [str(TACIT), *words]
    changes = "".join(f"import {name.rpartition('.')[0]}; {name} = {value}; " for name, value in limits.items())
    return [sys.executable, "-c", f"{changes}from tacit_cli.__main__ import main; main()", *words]


def environment() -> dict[str, str]:
    """Return an environment with a secret, and with no other setting of Tacit's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    return kept | {"TACIT_SECRET": SECRET, "COLUMNS": "120", "TACIT_POPULATION": "none"}


def everything_in(client: redis.Redis) -> dict[str, Any]:
    """Return all that a Redis holds, byte for byte: hashes as dicts, strings as they are."""
    held: dict[str, Any] = {}
    for key in sorted(client.scan_iter(count=1000)):
        kind = client.type(key)
        held[key] = (
            client.hgetall(key) if kind == "hash" else client.smembers(key) if kind == "set" else client.get(key)
        )
    return held


def _stat(pid: int) -> list[str]:
    """Return state, parent, group and what follows of /proc/PID/stat (proc(5)); nothing for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
