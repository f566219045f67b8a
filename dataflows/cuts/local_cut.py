"""Memory of a state folder: the last run with object storage, and its newest cut."""

from pathlib import Path

import msgspec

from dataflows.state_folder import FENCE, store_document
from state.durable import read_document


class LocalCut(msgspec.Struct, frozen=True):
    """Contents of fence.json."""

    fence: int = 0
    """Fencing number of the run; 0: no run had object storage."""
    number: int = 0
    """Number of the newest cut."""
    begun_from: str = ""
    """Savepoint from which the state began; empty for none."""

    def write(self, folder: Path) -> None:
        """Write the memory into a state folder, which is created.

        Raises:
            StorageError: the disk is full or fails.
        """
        store_document(folder, FENCE, self)


def read_local_cut(folder: Path) -> LocalCut:
    """Return the memory of a state folder; empty without one.

    Raises:
        StateError: the file is damaged.
    """
    found = read_document(folder / FENCE, LocalCut, "delete the folder, and let the run fetch the newest cut")
    return found or LocalCut()
