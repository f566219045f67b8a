"""Disk for the state folder that can run full."""

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
"""Limit for the size of a file: logs stay below, checkpoints grow above."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2  # <sys/mount.h>: unmounted when its last file is closed


class Disk(Protocol):
    """Disk that holds the state folder."""

    folder: Path
    how: str
    """Description of the way in which the disk runs full."""

    def fill(self, pids: Sequence[int]) -> None:
        """Leave no room for these processes; call again after they free some."""

    def free(self, pids: Sequence[int]) -> None:
        """Give room to these processes again."""


class SmallDisk:
    """Separate file system in memory (tmpfs), filled by a file."""

    how = "a small tmpfs without room"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, pids: Sequence[int]) -> None:  # noqa: ARG002  # full for all processes
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:  # until there is no room
                ballast.write(bytes(4096))

    def free(self, pids: Sequence[int]) -> None:  # noqa: ARG002
        self._ballast.unlink(missing_ok=True)


class LimitedFiles:
    """Ordinary folder with a limit on file sizes of the processes (RLIMIT_FSIZE, setrlimit(2))."""

    how = "a limit on the size of files, as mounting is not permitted"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pids: Sequence[int]) -> None:
        self._limit(pids, LIMIT_BYTES)

    def free(self, pids: Sequence[int]) -> None:
        self._limit(pids, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(pids: Sequence[int], max_bytes: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))


@contextmanager
def disk_in(folder: Path) -> Iterator[Disk]:
    """Yield a separate file system if mounting is permitted, else a folder with limited processes."""
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
        PermissionError: mounting is not permitted.
    """
    options = f"size={SIZE_MB}m,mode=700".encode()
    if _LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options):
        code = ctypes.get_errno()
        if code in {errno.EPERM, errno.EACCES}:
            raise PermissionError(code, os.strerror(code), str(folder))
        raise OSError(code, os.strerror(code), str(folder))
