"""Durable append of lines to a file that other processes append to."""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines, all or none, and return when they are on disk; a line that a crash cut off gets its newline first.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            _append(descriptor, b"".join(line + b"\n" for line in lines))
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process that was forked meanwhile keeps the file open
    finally:
        os.close(descriptor)


def _append(descriptor: int, data: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # the first error is the cause
            os.ftruncate(descriptor, size)
        raise
