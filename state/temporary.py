"""Temporary folders that end with their process: the next process with the same use deletes those of killed ones."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from state.storage.rocksdb import storage_error

MARK = ".locked"


@contextmanager
def temporary_folder(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """Make a folder that goes with the context, and delete those with the prefix whose processes were killed.

    A folder is locked (flock) before it has its name, so that no other process deletes it. Names end with `MARK`, so
    that no folder of an operator has one.

    Args:
        prefix: beginning of the name, such as `tacit-cut-`.
        within: place of the folder; None: the place of temporary files.

    Raises:
        StorageError: the disk is full or fails.
    """
    place = within or Path(gettempdir())
    try:
        _delete_left(place, prefix)
        unnamed = Path(mkdtemp(prefix=f".{prefix}", suffix=MARK, dir=place))
        lock = _Lock(unnamed)
        path = unnamed.rename(unnamed.with_name(unnamed.name[1:]))
    except OSError as error:
        raise storage_error(str(place), error.strerror or str(error)) from error
    with closing(lock):
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _delete_left(place: Path, prefix: str) -> None:
    for path in place.glob(f"{prefix}*{MARK}"):
        with suppress(OSError), closing(_Lock(path)):  # in use, another user's, or deleted meanwhile
            shutil.rmtree(path, ignore_errors=True)


class _Lock:
    """Lock on a folder, which ends with the process.

    Raises:
        OSError: another process has the lock, or the folder cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise

    def close(self) -> None:
        os.close(self._file)
