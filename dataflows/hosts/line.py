"""Line of a host's state: hosts with the same one resumed together every time, so their folders fit together.

With object storage, each common start has a line of its own.
"""

from pathlib import Path

import msgspec

from dataflows.state_folder import LINE, store_document
from state.durable import read_document
from state.errors import StateError


class Line(msgspec.Struct, frozen=True):
    """Contents of line.json."""

    line: str
    """Random name."""
    hosts: int
    processes: int
    """Processes of each host: with another number, shards would be on other hosts."""
    host: int
    """Number of the host: the folder of another one has other shards and positions."""

    def write(self, folder: Path) -> None:
        """Write the line into a state folder.

        Raises:
            StorageError: the disk is full or fails.
        """
        store_document(folder, LINE, self)


def read_line(folder: Path, hosts: int, processes: int, host: int) -> str:
    """Return the line of a state folder; empty without one, or as another host, or of another number of them.

    Raises:
        StateError: the file is damaged.
    """
    found = _read(folder)
    return found.line if found and (found.hosts, found.processes, found.host) == (hosts, processes, host) else ""


def is_shared(folder: Path) -> bool:
    """Return True if a state folder has the share of one of several hosts; errors as `read_line`."""
    found = _read(folder)
    return found is not None and found.hosts > 1


def require_whole(folder: Path) -> None:
    """Check that a run on one host has the whole state.

    Raises:
        StateError: the folder has the share of one of several hosts.
    """
    if (found := _read(folder)) and found.hosts > 1:
        raise StateError(
            f"the state folder {folder} has the share of host {found.host} of {found.hosts}: give the same --hosts as "
            "before, or another folder; a live run with --checkpoints also gets the whole state on one host"
        )


def _read(folder: Path) -> Line | None:
    return read_document(folder / LINE, Line, "delete the folder, and let the host fetch the newest cut")
