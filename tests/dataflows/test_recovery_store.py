"""Recovery store: positions that are read and deleted, and the errors of a damaged store and of a full disk."""

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, run_main

from dataflows.graph import FLOW_ID
from dataflows.recovery_store import delete_positions, newest_state, source_parts, source_positions
from state.errors import StateError, StorageError

READS: list[Callable[[Path], object]] = [
    source_parts,
    source_positions,
    lambda store: newest_state(store, "adapt"),
    delete_positions,
]


class Source(FixedPartitionedSource[str, Any], StatefulSourcePartition[str, Any]):
    """Partitions of one item each, with the positions to write and those that were resumed from."""

    def __init__(self, positions: dict[str, Any]) -> None:
        self.resumed: dict[str, Any] = {}
        self._positions = positions
        self._ended = False

    def list_parts(self) -> list[str]:
        return list(self._positions)

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> "Source":  # noqa: ARG002  # Bytewax's names
        self.resumed[for_part] = resume_state
        return Source({for_part: self._positions[for_part]})

    def next_batch(self) -> list[str]:
        if self._ended:
            raise StopIteration
        self._ended = True
        return list(self._positions)

    def snapshot(self) -> Any:
        return next(iter(self._positions.values()))


def resumed(store: Path, positions: dict[str, Any]) -> dict[str, Any]:
    """Run a source, and return the positions that it resumed from."""
    source = Source(positions)
    flow = Dataflow(FLOW_ID)
    op.output("out", op.input("source", flow, source), TestingSink([]))
    run_main(flow, recovery_config=RecoveryConfig(str(store)))
    return source.resumed


@pytest.fixture
def store(tmp_path: Path) -> Path:
    init_db_dir(tmp_path, 3)
    return tmp_path


def test_positions_of_another_source_are_deleted(store: Path) -> None:
    """Bytewax would end with an error, as the partition is not in the new source."""
    resumed(store, {"files": (0, 10)})
    delete_positions(store)
    assert resumed(store, {"0": (1, 1)}) == {"0": None}


def test_parts_of_the_source_are_those_with_a_position(store: Path) -> None:
    """The parts are spread over all databases of the store."""
    assert source_parts(store) == set()
    positions = {str(number): number for number in range(8)}
    resumed(store, positions)
    assert source_parts(store) == set(positions)


def test_position_of_a_part_is_the_newest_that_is_committed(store: Path) -> None:
    """A row behind the newest commit is of a Bytewax epoch that did not end."""
    resumed(store, {"0": 1, "1": 7})
    before = source_positions(store)
    resumed(store, {"0": 2, "1": 7})
    found = source_positions(store)
    assert (found["0"] != before["0"], found["1"]) == (True, before["1"])
    with closing(sqlite3.connect(store / "part-0.sqlite3")) as database, database:
        database.execute(
            "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change)"
            " VALUES ('adaptation.source', '0', 99, x'00')"
        )
    assert source_positions(store) == found


@pytest.mark.parametrize("read", READS)
def test_full_disk_is_no_damage(read: Callable[[Path], object], store: Path) -> None:
    """SQLite writes a file next to a database that it reads: a live run restarts after such an error."""
    resumed(store, {"0": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(StorageError, match="free space or repair the disk: committed state is safe"):
            read(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    read(store)


@pytest.mark.parametrize("content", [b"garbage" * 1000, b""])
@pytest.mark.parametrize("read", READS)
def test_damaged_database_is_a_state_error(read: Callable[[Path], object], content: bytes, store: Path) -> None:
    """Another start would not help."""
    (store / "part-1.sqlite3").write_bytes(content)
    with pytest.raises(StateError, match=r"is damaged: part-1\.sqlite3: .*restore the whole state folder"):
        read(store)
