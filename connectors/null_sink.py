"""Sink that drops its items, in runs that write nothing, as dry runs, parity, and looks into a recovery store."""

from collections.abc import Sequence
from typing import TypeVar

from bytewax.outputs import DynamicSink, StatelessSinkPartition

Item = TypeVar("Item")


class NullSink(DynamicSink[Item]):
    """Sink that takes everything and writes nothing."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "NullSinkPartition[Item]":  # noqa: ARG002  Bytewax passes all three
        """Return a worker's partition."""
        return NullSinkPartition()


class NullSinkPartition(StatelessSinkPartition[Item]):
    """One worker's partition of `NullSink`."""

    def write_batch(self, items: Sequence[Item]) -> None:
        """Write nothing."""
