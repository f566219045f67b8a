"""Files of a hand-over: written once, and read by each process of a live run."""

from pathlib import Path

import numpy as np
import pytest

from dataflows.handover.seam_file import SEAM, HandOver, read_hand_over, read_seam, write_seam
from state.errors import StateError


def test_seam_has_each_key_once(tmp_path: Path) -> None:
    """Keys come in any order; a key that is not there is not found."""
    keys = [5, 2**64 - 1, 0, 5]
    events = write_seam(tmp_path, np.array(keys, dtype=np.uint64))
    hand_over = HandOver("old", "earliest", 7, events)
    hand_over.write(tmp_path)
    seam = read_seam(tmp_path)
    assert seam is not None
    assert (events, seam.newest_ms) == (3, 7)
    assert [seam.has(key) for key in (0, 5, 2**64 - 1, 1, 6)] == [True, True, True, False, False]
    assert read_hand_over(tmp_path) == hand_over


def test_folder_without_a_hand_over_has_no_seam(tmp_path: Path) -> None:
    """Also a folder that took over at the offsets of its topic."""
    assert read_hand_over(tmp_path) is None
    assert read_seam(tmp_path) is None
    HandOver("old").write(tmp_path)
    assert read_seam(tmp_path) is None


@pytest.mark.parametrize("size", [None, 8])
def test_lost_or_cut_seam_is_an_error(tmp_path: Path, size: int | None) -> None:
    """A live run without its seam would count events twice."""
    HandOver("old", "earliest", 7, write_seam(tmp_path, np.array([1, 2], dtype=np.uint64))).write(tmp_path)
    if size is None:
        (tmp_path / SEAM).unlink()
    else:
        (tmp_path / SEAM).write_bytes(bytes(size))
    with pytest.raises(StateError, match="seam is missing or damaged"):
        read_seam(tmp_path)
