"""The newest population belief in a file: what a rebuild brings Redis back from, and a run goes on from without it."""

from pathlib import Path

from state.durable import write_file
from state.errors import StateError
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from state.storage.rocksdb import storage_error

FILE_NAME = "population.json"
"""What it is called in a state folder."""
FIRST_NAME = "population-first.json"
"""What is beside it if learning did not begin with nothing: the version of others that it began with."""


def read_version(path: Path) -> PopulationVersion | None:
    """Return the version in a file, or None if there is no file.

    Raises:
        StateError: the file holds none.
        StorageError: the disk does not give it.
    """
    try:
        return decode_version(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(str(path), error.strerror or str(error)) from error
    except StateError as error:
        raise StateError(
            f"{path} is damaged: {error}; restore it from a backup, or remove it: the next version writes it anew"
        ) from error


class PopulationFileStore:
    """A file with one writer; it always holds a whole version, whatever happens while the next one is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number: int | None = None
        """Of the version in the file, once that was looked at; 0: there is no file."""

    def write(self, write: PopulationWrite) -> None:
        """Return when the version is durable; a file that holds a newer one stays as it is.

        The same number is written again: after a crash, it can stand for what was learned anew.

        Raises:
            StateError: what the file holds is no version.
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
