"""Newest population version in a file, from which a rebuild restores Redis and a run resumes."""

from pathlib import Path

from state.durable import write_file
from state.errors import StateError
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from state.storage.rocksdb import storage_error

FILE_NAME = "population.json"
"""File name in a state folder."""
FIRST_NAME = "population-first.json"
"""File name of the first prior, if training started from a version of another run."""

NUMBER_NAME = "population-number"
"""File name of the newest number in the namespace at the first start of a bounded run."""


def first_number(folder: Path | None, newest: int) -> int:
    """Return the newest number at the first start of a bounded run: `newest`, noted in the folder, or the noted one.

    Raises:
        StateError: the file holds no number.
        StorageError: the disk is full or fails.
    """
    if folder is None:
        return newest
    path = folder / NUMBER_NAME
    try:
        if not path.exists():
            write_file(path, b"%d\n" % newest)
        return int(path.read_bytes())
    except OSError as error:
        raise storage_error(str(path), error.strerror or str(error)) from error
    except ValueError as error:
        raise StateError(f"{path} is damaged: it holds no number; restore the state folder from a backup") from error


def read_version(path: Path) -> PopulationVersion | None:
    """Return the version in a file, or None if there is no file.

    Raises:
        StateError: the file holds no version.
        StorageError: the disk fails.
    """
    try:
        return decode_version(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(str(path), error.strerror or str(error)) from error
    except StateError as error:
        raise StateError(
            f"{path} is damaged: {error}; restore it from a backup, or remove it: the next version replaces it"
        ) from error


class PopulationFileStore:
    """File with one writer; it always holds a whole version, even after a crash during a write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number: int | None = None
        """Number of the version in the file; 0 without a file, None before the first read."""

    def write(self, write: PopulationWrite) -> None:
        """Return when the version is durable; a newer version in the file stays.

        The same number replaces the file, as training can repeat a number after a crash.

        Raises:
            StateError: the file holds no version.
            StorageError: the disk is full or fails.
        """
        if self._number is None:
            held = read_version(self._path)
            self._number = held.n if held else 0
        if write.n >= self._number:
            self._replace(write.version)
            self._number = write.n

    def _replace(self, data: bytes) -> None:
        try:
            write_file(self._path, data)
        except OSError as error:
            raise storage_error(str(self._path), error.strerror or str(error)) from error
