"""Durable append of lines to a file that other processes append to, with the errors of a sink."""

from collections.abc import Sequence
from pathlib import Path

from state.errors import SinkError
from tacit.sender import appending


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines as `tacit.sender.appending.append_lines` does.

    Raises:
        SinkError: the file cannot be written, or the disk is full.
    """
    try:
        appending.append_lines(path, lines)
    except OSError as error:
        raise SinkError(
            f"{path}: cannot be written: {error.strerror}; "
            "free disk space, or name a file in a folder that exists and is writable"
        ) from error
