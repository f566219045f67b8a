"""Positions of the source in a state folder, read by Bytewax itself from a copy: nothing in the folder changes.

A dataflow with the same flow and step resumes every part of the source, and ends at once.
"""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.null_sink import NullSink
from connectors.rounds.source import without_round
from dataflows.graph import FLOW_ID
from dataflows.recovery_store import run_over_store, source_parts
from dataflows.state_folder import RECOVERY, is_full
from state.errors import StateError
from state.storage.rocksdb import storage_error
from state.temporary import temporary_folder


def saved_positions(folder: Path) -> dict[str, Any]:
    """Return the position of each part of the source in the newest checkpoint of a folder that no run uses.

    Raises:
        StateError: the recovery store is damaged.
        StorageError: the disk of temporary files is full.
    """
    with temporary_folder("tacit-positions-") as temporary:
        copy = temporary / RECOVERY
        try:
            shutil.copytree(folder / RECOVERY, copy)
        except (OSError, shutil.Error) as error:
            if is_full(temporary):
                raise storage_error(str(temporary), os.strerror(errno.ENOSPC)) from error
            raise _damaged(folder, str(error)) from error
        source = _Positions(sorted(source_parts(copy)))
        flow = Dataflow(FLOW_ID)
        op.output("no_output", op.input("source", flow, source), NullSink())
        try:
            run_over_store(flow, copy)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as cause:  # a panic of Bytewax is not an Exception
            raise _damaged(folder, " ".join(str(cause).split())) from cause
    return source.found


def _damaged(folder: Path, why: str) -> StateError:
    return StateError(
        f"{folder / RECOVERY} cannot be read: {why}; restore the whole state folder from a backup, or give another"
    )


class _Positions(FixedPartitionedSource[object, Any]):
    """The source's positions, in place of the source."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self.found: dict[str, Any] = {}

    def list_parts(self) -> list[str]:
        return self._parts

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> "_Ended":  # noqa: ARG002  Bytewax passes all three
        if resume_state is not None:
            self.found[for_part] = without_round(resume_state)
        return _Ended(resume_state)


class _Ended(StatefulSourcePartition[object, Any]):
    """A part without records."""

    def __init__(self, position: Any) -> None:
        self._position = position

    def next_batch(self) -> list[object]:
        raise StopIteration

    def snapshot(self) -> Any:
        return self._position
