"""SIGHUP of logrotate: files of rejects and of logs are opened again, and the run continues.

Every process looks before each batch and each line whether the file still has its name, so the signal only makes new
files at once.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from types import FrameType

import structlog

from dataflows.settings import Settings

_log = structlog.get_logger(__name__)


@contextmanager
def reopened_by_hangup(settings: Settings) -> Iterator[None]:
    """Open the output files again at each SIGHUP while the context lasts."""
    log_file = () if settings.log_file is None else (str(settings.log_file),)
    places = dict.fromkeys((settings.rejects, settings.control_rejects_to, *log_file))
    files = [place for place in places if not place.startswith("kafka:")]
    signals: SimpleQueue[bool] = SimpleQueue()  # `put` may interrupt itself, and a log call may not

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        signals.put(True)

    thread = Thread(target=_reopen, args=(signals, files), name="hangup", daemon=True)
    thread.start()
    before = signal.signal(signal.SIGHUP, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
        signals.put(False)
        thread.join()


def _reopen(signals: "SimpleQueue[bool]", files: Sequence[str]) -> None:
    while signals.get():
        for file in files:
            try:
                os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640))
            except OSError as error:  # the next reject fails with the same error
                _log.error("output.reopen_failed", file=file, error=error.strerror)
        _log.info("output.reopened", files=files)
