"""First error: sinks work as without it, and it keeps their first exception."""

import pytest
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from dataflows.runtime.first_error import FirstError
from state.errors import SinkError


class Sink(DynamicSink[int], StatelessSinkPartition[int]):
    """Sink that raises an error for a negative number."""

    def __init__(self) -> None:
        self.written: list[int] = []

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Sink":  # noqa: ARG002  # names of Bytewax
        return self

    def write_batch(self, items: list[int]) -> None:
        if min(items) < 0:
            raise SinkError(f"{items}")
        self.written += items


def test_watched_sink_works_as_before() -> None:
    """A watched sink writes the same items."""
    first_error = FirstError()
    sink = first_error.watch(Sink()).build("rejects", 0, 1)
    sink.write_batch([1, 2])
    assert sink.written == [1, 2]
    assert first_error.error is None


def test_first_error_is_kept_and_raised() -> None:
    """Later errors are consequences."""
    first_error = FirstError()
    sink = first_error.watch(Sink()).build("rejects", 0, 1)
    for items in ([-1], [-2]):
        with pytest.raises(SinkError):
            sink.write_batch(items)
    assert str(first_error.error) == "[-1]"


def test_error_of_a_build_is_kept() -> None:
    """The error of a step that cannot be restored is the cause."""
    first_error = FirstError()

    def build(_snapshot: bytes) -> Sink:
        raise SinkError("no")

    with pytest.raises(SinkError):
        first_error.watch_build(build)(b"")
    assert str(first_error.error) == "no"


def test_end_of_a_source_is_no_error() -> None:
    """StopIteration is the regular end of a source."""
    first_error = FirstError()

    def next_batch() -> list[int]:
        raise StopIteration

    with pytest.raises(StopIteration):
        first_error.watch_call(next_batch)()
    assert first_error.error is None
