"""Line of a host's state: hosts with the same one resumed together every time, so their folders fit together."""

from pathlib import Path

import msgspec

from dataflows.state_folder import LINE, store_document
from state.durable import read_document


class Line(msgspec.Struct, frozen=True):
    """Contents of line.json."""

    line: str
    """Random name."""
    hosts: int
    processes: int
    """Processes of each host: with another number, shards would be on other hosts."""

    def write(self, folder: Path) -> None:
        """Write the line into a state folder.

        Raises:
            StorageError: the disk is full or fails.
        """
        store_document(folder, LINE, self)


def read_line(folder: Path, hosts: int, processes: int) -> str:
    """Return the line of a state folder; empty without one, or with another number of hosts or processes.

    Raises:
        StateError: the file is damaged.
    """
    found = read_document(folder / LINE, Line, "delete the folder, and let the host fetch the newest cut")
    return found.line if found and (found.hosts, found.processes) == (hosts, processes) else ""
