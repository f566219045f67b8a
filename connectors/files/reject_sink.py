"""Appends rejects to a file, a JSON object per line."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from state.errors import SinkError
from state.events.records import AnyReject


class FileRejectSink(DynamicSink[AnyReject]):
    """Appends to `path`, from any number of workers and processes of one machine, in no particular order.

    At least once: what was written after the last committed epoch is written again after a crash, and a crash of
    the machine itself can lose the last seconds. A line that a crash tore off is ended before the next one begins.

    Raises:
        SinkError: the file cannot be written, which is tried when the sink is made; or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        RejectFile(path).close()

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "RejectFile":  # noqa: ARG002  Bytewax passes all three
        """Open the file for one worker."""
        return RejectFile(self._path)


class RejectFile(StatelessSinkPartition[AnyReject]):
    """The file as one worker has it open: whole batches are appended, or nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        with self._errors(), self._lock() as size:
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                _write(self._descriptor, b"\n")

    def write_batch(self, items: Sequence[AnyReject]) -> None:
        """Append the rejects; if the disk is full, none of them."""
        lines = b"".join(reject.to_json() + b"\n" for reject in items)
        with self._errors(), self._lock() as size:
            try:
                _write(self._descriptor, lines)
            except OSError:
                with suppress(OSError):  # what counts is the first error
                    os.ftruncate(self._descriptor, size)
                raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    @contextmanager
    def _lock(self) -> Iterator[int]:
        """Keep other workers from writing; gives the file's size."""
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
                "make room, or name a file in a folder that exists and is writable, and run again"
            ) from error


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it: a single call may take only a part."""
    while data:
        data = data[os.write(descriptor, data) :]
