"""File that only its owner can read."""

import os
from pathlib import Path

from state.errors import StorageError


def write_private(path: Path, text: str) -> None:
    """Write a text into a file of mode 600, which replaces an earlier file.

    Raises:
        StorageError: the file cannot be written.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  # of a descriptor
            file.write(text)
        new.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}; name a file in a folder of yours") from error
