"""Sink that appends rejects to a file, one JSON object per line."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from state.errors import SinkError
from state.events.records import AnyReject


class FileRejectSink(DynamicSink[AnyReject]):
    """Sink of any number of workers and processes of one machine into one file, in no particular order.

    Delivery is at least once: after a crash, a run repeats the rejects since the last checkpoint. A crash of the
    machine can lose the last seconds. If a crash left half a line, the next reject starts on a new line.

    Raises:
        SinkError: the file cannot be written (checked by the constructor), or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        RejectFile(path).close()

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "RejectFile":  # noqa: ARG002  Bytewax passes all three
        """Open the file for one worker."""
        return RejectFile(self._path)


class RejectFile(StatelessSinkPartition[AnyReject]):
    """File that one worker has open; a batch is appended completely or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = self._open()
        with self._errors(), self._lock() as size:
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                _write(self._descriptor, b"\n")

    def write_batch(self, items: Sequence[AnyReject]) -> None:
        """Append the rejects; on a full disk append none. A file that was renamed is made again."""
        if not self._has_its_name():
            os.close(self._descriptor)
            self._descriptor = self._open()
        lines = b"".join(reject.to_json() + b"\n" for reject in items)
        with self._errors(), self._lock() as size:
            try:
                _write(self._descriptor, lines)
            except OSError:
                with suppress(OSError):  # the first error is the cause
                    os.ftruncate(self._descriptor, size)
                raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        with self._errors():
            return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)

    def _has_its_name(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    @contextmanager
    def _lock(self) -> Iterator[int]:
        """Lock the file against other workers, and yield the size of the file in bytes."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield os.fstat(self._descriptor).st_size
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SinkError(
                f"rejects file {self._path}: cannot be written: {error.strerror}; "
                "free disk space, or name a file in a folder that exists and is writable, and run again"
            ) from error


def _write(descriptor: int, data: bytes) -> None:
    """Write all bytes; a single system call may write fewer."""
    while data:
        data = data[os.write(descriptor, data) :]
