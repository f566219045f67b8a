"""Memory of a state folder: survives, and is no guess when damaged."""

from pathlib import Path

import pytest

from dataflows.cuts.local_cut import LocalCut, read_local_cut
from state.errors import StateError


def test_memory_survives(tmp_path: Path) -> None:
    found = LocalCut(7, 42, "before@6-41")
    found.write(tmp_path / "new")
    assert read_local_cut(tmp_path / "new") == found


def test_folder_without_memory_had_no_object_storage(tmp_path: Path) -> None:
    assert read_local_cut(tmp_path) == LocalCut(0, 0, "")


def test_damaged_memory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "fence.json").write_bytes(b'{"fence": 7, "num')
    with pytest.raises(StateError, match=r"fence.json cannot be read: .*; delete the folder, and let the run fetch"):
        read_local_cut(tmp_path)
