"""Process that uploads the cuts of a run: the stream never waits for it, and shares neither lock nor memory with it."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread
from types import TracebackType
from typing import Self

import structlog

from dataflows.cuts.counters import CutCounters
from dataflows.cuts.uploads import FINISH, UploadJob, Uploads
from dataflows.observability.logs import configure
from dataflows.runtime.parent_death import die_with
from dataflows.runtime.stopping import ignore_signals

FINISH_WITHIN_S = 30.0
"""Time for the last cut of a run; without it, a fetch resumes from the cut before."""

_log = structlog.get_logger(__name__)


class UploadProcess:
    """Context in which a process uploads the cuts of a run.

    Args:
        job: the uploads.
        update: receives the newest counters, in another thread.
    """

    def __init__(self, job: UploadJob, update: Callable[[CutCounters], None]) -> None:
        self._update = update
        self._ends = False
        spawn = get_context("spawn")
        self._pipe, self._theirs = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(job, self._theirs, os.getpid()), name="tacit-upload")
        self._thread = Thread(target=self._receive, name="cuts", daemon=True)

    @property
    def pid(self) -> int | None:
        """Id of the process; None before its start."""
        return self._process.pid

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        self._thread.start()
        return self

    def finish(self) -> None:
        """Let the process upload a last cut, and wait for it up to `FINISH_WITHIN_S`."""
        self._ends = True
        try:
            self._pipe.send(FINISH)
        except OSError:  # the process has ended
            return
        self._process.join(FINISH_WITHIN_S)
        if self._process.is_alive():
            _log.warning("cut.unfinished", advice="the next start of this host resumes from its state folder")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends = True
        self._process.kill()
        self._process.join()
        self._thread.join()
        self._pipe.close()

    def _receive(self) -> None:
        while True:
            try:
                counters = self._pipe.recv()
            except (EOFError, OSError):
                if not self._ends:
                    _log.error("cut.process_ended", advice="cuts end until the next start; the reason is on stderr")
                return
            self._update(counters)


def _run(job: UploadJob, pipe: Connection, parent: int) -> None:
    die_with(parent)
    ignore_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # Bytewax writes there
    configure(job.log_level, as_json=job.settings.log_json, file=job.settings.log_file)
    Uploads(job, pipe).run()
