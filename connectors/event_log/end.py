"""End of an event log up to which lines are final, from a thread that looks at the file.

A writer locks the file for an append, and takes a failed append back (connectors.files.appending). So an end counts
once the thread has had the lock. The thread may wait for a writer, and the dataflow need not.
"""

import fcntl
import os
from collections.abc import Callable
from os.path import samestat
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from connectors.event_log.lines import REMEDY
from state.errors import GapError, SourceError

_BUSY_S = 1.0
_LOOK_BUSY_S = 0.002
_LOOK_IDLE_S = 0.02


class LogEnd:
    """Final end of a log, and whether the log is still the file that was opened.

    Args:
        path: path of the log.
        file: file descriptor of the open log.
        at: offset of the position to read from.
        seen: called at each look with file descriptor and size of the log.
    """

    def __init__(self, path: Path, file: int, at: int, seen: Callable[[int, int], None]) -> None:
        self._path = path
        self._opened = os.fstat(file)
        self._seen = seen
        self.bytes = at
        """Offset behind the last final byte."""
        self.looked_at = 0.0
        """`time.monotonic()` of the last look."""
        self.grew_at = 0.0
        """`time.monotonic()` of the last look with more bytes."""
        self._failure: SourceError | None = None
        self._end = Event()
        self._thread = Thread(target=self._run, name="log-end", daemon=True)

    @property
    def pause_s(self) -> float:
        """Time until the next look: short within a second of new bytes."""
        return _LOOK_BUSY_S if monotonic() - self.grew_at < _BUSY_S else _LOOK_IDLE_S

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def raise_failure(self) -> None:
        """Raise the error of the thread, if there is one.

        Raises:
            GapError: the log was truncated, replaced or deleted.
            SourceError: the log cannot be read.
        """
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the thread at the next look; a writer that holds the lock delays it."""
        self._end.set()

    def _run(self) -> None:
        try:
            with self._path.open("rb") as lock:
                while not self._end.is_set():
                    size = self._look(lock.fileno())
                    if not self._end.is_set():
                        self._seen(lock.fileno(), size)
                    self.looked_at = monotonic()
                    self._end.wait(self.pause_s)
        except SourceError as error:
            self._failure = error
        except OSError as error:
            self._failure = SourceError(f"{self._path}: cannot be read: {error.strerror}; make the file readable")

    def _look(self, lock: int) -> int:
        """Return the size of the log."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise GapError(f"{self._path}: is gone; {REMEDY}") from None
        if not samestat(found, self._opened):
            raise GapError(f"{self._path}: was replaced by another file; {REMEDY}")
        if found.st_size < self.bytes:
            raise GapError(
                f"{self._path}: has {found.st_size:,} bytes, and had {self.bytes:,}: it was truncated; {REMEDY}"
            )
        if found.st_size > self.bytes:
            fcntl.flock(lock, fcntl.LOCK_SH)
            try:
                self.bytes = os.fstat(lock).st_size
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)
            self.grew_at = monotonic()
        return found.st_size
