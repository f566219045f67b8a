"""A disk for the state folder that can run full, for real."""

import ctypes
import errno
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

SIZE_MB = 256
LIMIT_BYTES = 32 * 1024
"""Under this no file of a log comes near, and over it every file that matters."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2  # <sys/mount.h>: goes away when nobody is in it any more


class Disk(Protocol):
    """Where the state folder lies."""

    folder: Path
    how: str
    """What running full is, in words."""

    def fill(self, pids: Sequence[int]) -> None:
        """Leave no room for these processes; to be called again as they make some."""

    def free(self, pids: Sequence[int]) -> None:
        """Give the room back."""


class SmallDisk:
    """A file system of its own in memory (tmpfs), filled by a file."""

    how = "a small tmpfs without room"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, pids: Sequence[int]) -> None:  # noqa: ARG002  # it is full for everybody
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:  # until there is no room
                ballast.write(bytes(4096))

    def free(self, pids: Sequence[int]) -> None:  # noqa: ARG002
        self._ballast.unlink(missing_ok=True)


class LimitedFiles:
    """A folder like any other; the processes may not let a file grow (RLIMIT_FSIZE, setrlimit(2))."""

    how = "a limit on the size of files, as mounting is not permitted"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pids: Sequence[int]) -> None:
        self._limit(pids, LIMIT_BYTES)

    def free(self, pids: Sequence[int]) -> None:
        self._limit(pids, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(pids: Sequence[int], most_bytes: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


@contextmanager
def disk_in(folder: Path) -> Iterator[Disk]:
    """Give a file system of its own where mounting is permitted, else a folder whose users can be limited."""
    folder.mkdir()
    try:
        _mount(folder)
    except PermissionError:
        yield LimitedFiles(folder)
        return
    try:
        yield SmallDisk(folder)
    finally:
        _LIBC.umount2(os.fsencode(folder), _MNT_DETACH)


def _mount(folder: Path) -> None:
    """Mount a tmpfs (mount(2)).

    Raises:
        PermissionError: it is not permitted.
    """
    options = f"size={SIZE_MB}m,mode=700".encode()
    if _LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options):
        code = ctypes.get_errno()
        if code in {errno.EPERM, errno.EACCES}:
            raise PermissionError(code, os.strerror(code), str(folder))
        raise OSError(code, os.strerror(code), str(folder))
