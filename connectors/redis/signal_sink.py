"""Bytewax sink of signals and gates."""

from collections.abc import Callable

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.events.records import AnyReject
from state.user.writes import Write

RESUME = "then start Tacit again: with a state folder, the run resumes from its last checkpoint"


class RedisSink(DynamicSink[Write]):
    """Sink in which each worker writes the signals and gates of its users.

    A batch is done when Redis has acknowledged it. A write that Redis will never take is done when it is a reject.
    The first worker with such a write makes the sink of rejects.
    """

    def __init__(
        self, target: Target, counters: SinkCounters, make_rejects: Callable[[], DynamicSink[AnyReject]]
    ) -> None:
        self._target = target
        self._counters = counters
        self._make_rejects = make_rejects

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "RedisSinkPartition":
        """Return a worker's partition, with a connection of its own."""
        return RedisSinkPartition(
            self._target, self._counters, lambda: self._make_rejects().build(step_id, worker_index, worker_count)
        )


class RedisSinkPartition(StatelessSinkPartition[Write]):
    """One worker's partition of `RedisSink`."""

    def __init__(
        self, target: Target, counters: SinkCounters, open_rejects: Callable[[], StatelessSinkPartition[AnyReject]]
    ) -> None:
        self._unwritable: list[AnyReject] = []
        self._writer = SignalWriter(target, counters, self._unwritable.append, advice=RESUME)
        self._open_rejects = open_rejects
        self._rejects: StatelessSinkPartition[AnyReject] | None = None

    def write_batch(self, items: list[Write]) -> None:
        """Write a batch.

        Raises:
            SinkError: as `SignalWriter.write`; or the sink of rejects fails.
        """
        self._unwritable.clear()
        self._writer.write(items)
        if self._unwritable:
            self._rejects = self._rejects or self._open_rejects()
            self._rejects.write_batch(self._unwritable)

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        if self._rejects:
            self._rejects.close()
