"""Worker of the embedded mode: a process `tacit run` over an event log, with the lifetime of this process."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

import structlog

from dataflows.runtime.parent_death import die_with
from dataflows.settings import Settings
from tacit.errors import TacitError

WITHIN_S = 60.0
"""Time for which the service waits for the worker."""
_STOP_S = 20.0
_LOOK_S = 0.05
_RESTART_S = 1.0
_ANSWER_S = 2.0
_NUMBERS = re.compile(
    r"^(tacit_source_lag_records|tacit_records_total|tacit_events_total|tacit_rejects_total|"
    r"tacit_control_rejects_total)(?:{[^}]*})? ([0-9.e+]+)$",
    re.MULTILINE,
)

_log = structlog.get_logger(__name__)


class EmbeddedWorker:
    """Context in which a worker follows a log; a worker that ends is started again.

    Args:
        folder: working folder, with `events.jsonl`, `state`, `rejects.jsonl` and `worker.log`.
        settings: settings that the worker shares with the service.

    Raises:
        TacitError: the worker ends early, or is not ready in time; the text has the last line of the output.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._port = _free_port()
        self._folder = folder
        self._output = folder / "worker.log"
        self._command = _command(settings, self.metrics)
        self._environment = _environment(settings.secret)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._end = Event()
        # Linux ends the child with the thread that started it (prctl(2), PR_SET_PDEATHSIG), so one thread starts all.
        self._thread = Thread(target=self._run, name="embedded-worker", daemon=True)

    @property
    def metrics(self) -> str:
        """HOST:PORT of the worker's metrics."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None before its start."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._await_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _run(self) -> None:
        while not self._end.is_set():
            self._starts += 1
            with self._output.open("ab") as output:
                self._process = process = subprocess.Popen(  # noqa: S603  of this Python
                    self._command,
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    process_group=0,  # Ctrl-C reaches this process only, which ends the worker last
                    preexec_fn=partial(die_with, os.getpid()),
                )
            if self._end.is_set():  # the stop came before the process was known
                process.terminate()
            status = process.wait()
            if not self._end.is_set():
                _log.error("worker.ended", status=status, restart_in_s=_RESTART_S, output=str(self._output))
            self._end.wait(_RESTART_S)

    def _stop(self) -> None:
        self._end.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()
        self._thread.join(_STOP_S)
        if self._process is not None and self._thread.is_alive():
            self._process.kill()
            self._thread.join()

    def _await_ready(self) -> None:
        """Wait until the worker is ready, and has taken all lines that the log has."""
        until_s = monotonic() + WITHIN_S
        while not self._has_caught_up():
            if self._starts > 1 or monotonic() > until_s:
                raise TacitError(f"embedded worker: is not ready: {self._last_line()}")
            self._end.wait(_LOOK_S)

    def _has_caught_up(self) -> bool:
        if self._get("/readyz") is None:
            return False
        numbers = dict[str, float]()
        for name, value in _NUMBERS.findall(self._get("/metrics") or ""):
            numbers[name] = numbers.get(name, 0.0) + float(value)
        lag, records = numbers.pop("tacit_source_lag_records", 1.0), numbers.pop("tacit_records_total", -1.0)
        return lag == 0 and sum(numbers.values()) == records

    def _get(self, path: str) -> str | None:
        """Return the body of a path with status 200; None otherwise."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        return body if answer.status == 200 else None

    def _last_line(self) -> str:
        lines = self._output.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it wrote no line"


def _command(settings: Settings, metrics: str) -> list[str]:
    options = {
        "redis": settings.redis,
        "region": settings.region,
        "namespace": settings.namespace,
        "catalogue": settings.catalogue.resolve(),
        "population": settings.population,
        "state": "state",
        "rejects": "rejects.jsonl",
        "metrics": metrics,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "tacit_cli", "run", "events.jsonl", *words, "--log-json"]


def _environment(secret: str) -> Mapping[str, str]:
    """Return the variables of the worker: the secret, and none of the settings of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    return kept | {"TACIT_SECRET": secret}


def _free_port() -> int:
    """Return a port on which nothing listens; another process may be faster than the worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
