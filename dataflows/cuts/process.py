"""Process that uploads the cuts of a run: the stream never waits for it, and shares neither lock nor memory with it."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Self

import structlog

from dataflows.cuts.bucket import new_execution
from dataflows.cuts.counters import CutCounters
from dataflows.cuts.uploads import FINISH, UploadJob, Uploads
from dataflows.observability.logs import configure
from dataflows.runtime.exit_status import describe_end
from dataflows.runtime.parent_death import die_with
from dataflows.runtime.stopping import ignore_signals

FINISH_WITHIN_S = 30.0
"""Time for the last cut of a run; without it, a fetch resumes from the cut before."""
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 60.0
"""Pause before a restart of the process: each one is twice the one before, up to this one."""
STEADY_AFTER_S = 300.0
"""Time after which an end is no repetition of the one before."""
_LAST_TRIES = 3
"""Processes that are started for the last cut."""
_SPAWN = get_context("spawn")

_log = structlog.get_logger(__name__)


class UploadProcess:
    """Context in which a process uploads the cuts of a run; one that ends is started again.

    Args:
        job: the uploads.
        update: receives the newest counters, in another thread.
    """

    def __init__(self, job: UploadJob, update: Callable[[CutCounters], None]) -> None:
        self._job = job
        self._update = update
        self._counters = CutCounters()
        self._running: tuple[SpawnProcess, Connection] | None = None
        self._lock = Lock()
        self._ends = Event()
        """Set once the run ends: a last cut does not wait for the pause before a restart."""
        self._is_over = self._has_finished = False
        self._thread = Thread(target=self._keep, name="cuts", daemon=True)

    @property
    def pid(self) -> int | None:
        """Id of the process; None while there is none."""
        return self._running[0].pid if self._running else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def finish(self) -> None:
        """Let the process upload a last cut, and wait for it up to `FINISH_WITHIN_S`."""
        with self._lock:
            self._ends.set()
            if self._running:
                _ask_to_finish(self._running[1])
        self._thread.join(FINISH_WITHIN_S)
        if not self._has_finished:
            _log.warning("cut.unfinished", advice="the next start of this host resumes from its state folder")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_over = True
            self._ends.set()
            if self._running:
                self._running[0].kill()
        self._thread.join()

    def _keep(self) -> None:
        """Run a process, and another one after each end but the last; the kernel ends them with this thread."""
        pause_s, last_tries = FIRST_PAUSE_S, _LAST_TRIES
        while last_tries:
            last_tries -= self._ends.is_set()
            began_s = monotonic()
            try:
                code = self._run_process()
            except OSError as error:
                end = f"cannot be started: {error.strerror}"
            else:
                if self._is_over:
                    return
                if self._ends.is_set() and code == 0:
                    self._has_finished = True
                    return
                end = describe_end(code)
            if monotonic() - began_s > STEADY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            _log.error("cut.process_ended", end=end, restart_in_s=0 if self._ends.is_set() else pause_s)
            self._counters = replace(self._counters, restarts=self._counters.restarts + 1)
            self._update(self._counters)
            self._ends.wait(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _run_process(self) -> int:
        """Run a process to its end, and return its exit code.

        Raises:
            OSError: the machine has no room for a process.
        """
        with self._lock:
            if self._is_over:
                return 0
            process, pipe = self._running = self._start()
        with pipe:
            self._receive(pipe)
            process.join()
            with self._lock:
                self._running = None
        return process.exitcode or 0

    def _start(self) -> tuple[SpawnProcess, Connection]:
        """Start a process with the counters so far, and another execution: the one before may have written objects."""
        job = replace(self._job, execution=new_execution(self._job.local.fence), counters=self._counters)
        pipe, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_run, args=(job, theirs, os.getpid()), name="tacit-upload")
        with theirs:
            process.start()
        _log.info("cut.process_started", pid=process.pid)
        if self._ends.is_set():
            _ask_to_finish(pipe)
        return process, pipe

    def _receive(self, pipe: Connection) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._counters = pipe.recv()
                self._update(self._counters)


def _ask_to_finish(pipe: Connection) -> None:
    with suppress(OSError):  # the process has ended
        pipe.send(FINISH)


def _run(job: UploadJob, pipe: Connection, parent: int) -> None:
    die_with(parent)
    ignore_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # Bytewax writes there
    configure(job.log_level, as_json=job.settings.log_json, file=job.settings.log_file)
    Uploads(job, pipe).run()
