"""The parts of a dataflow, watched: errors are kept, what the engine leaves open is closed once."""

import pytest
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from dataflows.parts import Parts
from state.errors import SinkError


class Sink(DynamicSink[int], StatelessSinkPartition[int]):
    """Writes until it is asked for a negative number."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.closings = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Sink":  # noqa: ARG002  # Bytewax's names
        return self

    def write_batch(self, items: list[int]) -> None:
        if min(items) < 0:
            raise SinkError(f"{items}")
        self.written += items

    def close(self) -> None:
        self.closings += 1


def test_watched_part_works_as_before() -> None:
    """Watching changes nothing of what a part does."""
    parts = Parts()
    sink = parts.watch(Sink()).build("rejects", 0, 1)
    sink.write_batch([1, 2])
    assert sink.written == [1, 2]
    assert parts.error is None


def test_first_error_is_kept_and_raised() -> None:
    """Later ones only follow from it."""
    parts = Parts()
    sink = parts.watch(Sink()).build("rejects", 0, 1)
    for items in ([-1], [-2]):
        with pytest.raises(SinkError):
            sink.write_batch(items)
    assert str(parts.error) == "[-1]"


def test_error_of_building_is_kept() -> None:
    """A step that cannot be restored says why."""
    parts = Parts()

    def build(_snapshot: bytes) -> Sink:
        raise SinkError("no")

    with pytest.raises(SinkError):
        parts.watch_build(build)(b"")
    assert str(parts.error) == "no"


def test_end_of_a_source_is_no_error() -> None:
    """StopIteration is how a source says that it has ended."""
    parts = Parts()

    def next_batch() -> list[int]:
        raise StopIteration

    with pytest.raises(StopIteration):
        parts.watch_call(next_batch)()
    assert parts.error is None


def test_what_was_left_open_is_closed_once() -> None:
    """The engine, we, and we again: a descriptor closed twice could be someone else's by then."""
    parts = Parts()
    left, closed = (parts.watch(Sink()).build("rejects", 0, 1) for _ in range(2))
    closed.close()
    parts.close()
    parts.close()
    assert (left.closings, closed.closings) == (1, 1)


def test_part_that_does_not_close_keeps_no_other_open() -> None:
    """After a failure, closing may fail too."""

    class Stuck(Sink):
        def close(self) -> None:
            raise SinkError("stuck")

    parts = Parts()
    parts.watch(Stuck()).build("rejects", 0, 1)
    other = parts.watch(Sink()).build("rejects", 0, 1)
    parts.close()
    assert other.closings == 1
