"""Durable files: a reader finds a file whole or not at all, and a finished write survives a crash."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from state.errors import StateError

Document = TypeVar("Document", bound=msgspec.Struct)


def write_file(path: Path, data: bytes) -> None:
    """Replace the contents of a file, and return when they are on disk; errors as `replacing`."""
    with replacing(path) as file:
        file.write(data)


def write_document(path: Path, document: msgspec.Struct) -> None:
    """Replace a file by a document in indented JSON; errors as `replacing`."""
    write_file(path, msgspec.json.format(msgspec.json.encode(document)))


def read_document(path: Path, kind: type[Document], remedy: str) -> Document | None:
    """Return the document in a file; None without the file.

    Raises:
        StateError: the file is damaged or unreadable; the text ends with the remedy.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateError(f"{path} cannot be read: {error}; {remedy}") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write the new contents of `path` into; they appear, and are on disk, when the block ends.

    A temporary file in the same folder takes the name of the file (rename(2) is atomic). A block that raises leaves
    the file as it was. Writers of one file take turns. A device or a pipe is written directly.

    Raises:
        OSError: the disk is full or fails, or the folder cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # the target of a link, not the link, is replaced
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error counts
            new.unlink()
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
