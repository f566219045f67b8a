"""Files of a hand-over in the state folder of a live run.

DIR/handover.json  replay, start of the live run, and times of the seam
DIR/seam           sorted 64-bit keys of the history's events that the run may read again; never changed
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from operators.seam import Seam
from state.durable import read_document, write_document, write_file
from state.errors import StateError

HAND_OVER = "handover.json"
SEAM = "seam"


class HandOver(msgspec.Struct, frozen=True):
    """Hand-over from a replay."""

    replay: str
    """Path of the replay's state folder."""
    start: str = ""
    """Start of the live run before its first checkpoint; empty: the run resumes at the replay's offsets."""
    newest_ms: int = 0
    """Time of the newest event of the history."""
    events: int = 0
    """Number of events in the seam."""

    def write(self, folder: Path) -> None:
        """Write the hand-over into a state folder."""
        write_document(folder / HAND_OVER, self)


def read_hand_over(folder: Path) -> HandOver | None:
    """Return the hand-over from which a state folder began; None for another folder.

    Raises:
        StateError: the file is damaged.
    """
    return read_document(folder / HAND_OVER, HandOver, "restore the folder from a backup")


def write_seam(folder: Path, keys: Any) -> int:
    """Write the keys of a seam, and return their number."""
    found = np.unique(keys)
    write_file(folder / SEAM, found.astype("<u8").tobytes())
    return len(found)


def read_seam(folder: Path) -> Seam | None:
    """Return the seam of a state folder; None without one.

    Raises:
        StateError: the file is missing or damaged.
    """
    hand_over = read_hand_over(folder)
    if hand_over is None or not hand_over.events:
        return None
    path = folder / SEAM
    if not path.is_file() or path.stat().st_size != 8 * hand_over.events:
        raise StateError(f"{path} is missing or damaged: restore the folder from a backup, or hand over once more")
    return Seam(np.memmap(path, dtype="<u8", mode="r"), hand_over.newest_ms)
