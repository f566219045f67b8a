"""The parts of a dataflow, watched: they work as before, and their first error is kept."""

import pytest
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from dataflows.runtime.first_error import FirstError
from state.errors import SinkError


class Sink(DynamicSink[int], StatelessSinkPartition[int]):
    """Writes until it is asked for a negative number."""

    def __init__(self) -> None:
        self.written: list[int] = []

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Sink":  # noqa: ARG002  # Bytewax's names
        return self

    def write_batch(self, items: list[int]) -> None:
        if min(items) < 0:
            raise SinkError(f"{items}")
        self.written += items


def test_watched_part_works_as_before() -> None:
    """Watching changes nothing of what a part does."""
    parts = FirstError()
    sink = parts.watch(Sink()).build("rejects", 0, 1)
    sink.write_batch([1, 2])
    assert sink.written == [1, 2]
    assert parts.error is None


def test_first_error_is_kept_and_raised() -> None:
    """Later ones only follow from it."""
    parts = FirstError()
    sink = parts.watch(Sink()).build("rejects", 0, 1)
    for items in ([-1], [-2]):
        with pytest.raises(SinkError):
            sink.write_batch(items)
    assert str(parts.error) == "[-1]"


def test_error_of_building_is_kept() -> None:
    """A step that cannot be restored says why."""
    parts = FirstError()

    def build(_snapshot: bytes) -> Sink:
        raise SinkError("no")

    with pytest.raises(SinkError):
        parts.watch_build(build)(b"")
    assert str(parts.error) == "no"


def test_end_of_a_source_is_no_error() -> None:
    """StopIteration is how a source says that it has ended."""
    parts = FirstError()

    def next_batch() -> list[int]:
        raise StopIteration

    with pytest.raises(StopIteration):
        parts.watch_call(next_batch)()
    assert parts.error is None
