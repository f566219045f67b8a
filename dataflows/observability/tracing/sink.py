"""Spans of the writes: from the stateful step to the acknowledgement of Redis."""

from time import time_ns
from typing import Any

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from dataflows.observability.tracing.adapt import SampledWrite
from dataflows.observability.tracing.spans import WRITE, Attributes, Spans, logged


class TracedSink(DynamicSink[Any]):
    """Sink of writes that adds a span for each mark behind the writes of a sampled event."""

    def __init__(self, sink: DynamicSink[Any], spans: Spans) -> None:
        self._sink = sink
        self._spans = spans

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "TracedSinkPartition":
        """Return a worker's partition."""
        return TracedSinkPartition(self._sink.build(step_id, worker_index, worker_count), self._spans)


class TracedSinkPartition(StatelessSinkPartition[Any]):
    """One worker's partition of `TracedSink`."""

    def __init__(self, partition: StatelessSinkPartition[Any], spans: Spans) -> None:
        self._partition = partition
        self._spans = spans

    def write_batch(self, items: list[Any]) -> None:
        """Write a batch; a failure ends the spans, and is raised."""
        marks = [item for item in items if isinstance(item, SampledWrite)]
        if not marks:
            self._partition.write_batch(items)
            return
        writes, error = [item for item in items if not isinstance(item, SampledWrite)], ""
        try:
            with logged(mark.context for mark in marks):
                if writes:
                    self._partition.write_batch(writes)
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            self._trace(marks, error)

    def _trace(self, marks: list[SampledWrite], error: str) -> None:
        ended_ns = time_ns()
        for mark in marks:
            attributes: Attributes = {"db.system.name": "redis", "tacit.writes": mark.writes}
            self._spans.add(WRITE, mark.context, (mark.since_ns, ended_ns), attributes, error=error)

    def close(self) -> None:
        """Close the partition."""
        self._partition.close()
