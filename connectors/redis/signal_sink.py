"""Bytewax sink of signals and gates."""

from collections.abc import Callable

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.events.records import AnyReject
from state.user.writes import AnyWrite, Restored

RESUME = "then start Tacit again: with a state folder, the run resumes from its last checkpoint"


class RedisSink(DynamicSink[AnyWrite]):
    """Sink in which each worker writes the signals and gates of its users.

    A batch is done when Redis has acknowledged it. A write that Redis will never take is done when it is a reject.
    The first worker with such a write makes the sink of rejects.
    """

    def __init__(
        self,
        target: Target,
        counters: SinkCounters,
        make_rejects: Callable[[], DynamicSink[AnyReject]],
        permit: Callable[[], object] = lambda: None,
    ) -> None:
        """Write to a target; `permit` is called before each batch, and an error forbids the batch."""
        self._target = target
        self._counters = counters
        self._make_rejects = make_rejects
        self._permit = permit

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "RedisSinkPartition":
        """Return a worker's partition, with a connection of its own."""
        return RedisSinkPartition(
            self._target,
            self._counters,
            lambda: self._make_rejects().build(step_id, worker_index, worker_count),
            self._permit,
        )


class RedisSinkPartition(StatelessSinkPartition[AnyWrite]):
    """One worker's partition of `RedisSink`."""

    def __init__(
        self,
        target: Target,
        counters: SinkCounters,
        open_rejects: Callable[[], StatelessSinkPartition[AnyReject]],
        permit: Callable[[], object],
    ) -> None:
        self._counters = counters
        self._unwritable: list[AnyReject] = []
        self._writer = SignalWriter(target, counters, self._unwritable.append, advice=RESUME, permit=permit)
        self._open_rejects = open_rejects
        self._rejects: StatelessSinkPartition[AnyReject] | None = None

    def write_batch(self, items: list[AnyWrite]) -> None:
        """Write a batch, the writes of a restoration last: versions order them.

        Raises:
            SinkError: as `SignalWriter.write`; or the sink of rejects fails.
        """
        self._unwritable.clear()
        restored = [item for item in items if isinstance(item, Restored)]
        if writes := [item for item in items if not isinstance(item, Restored)]:
            self._writer.write(writes)
        if present := [write for part in restored for write in part.writes]:
            self._writer.write(present, is_fresh=False)
        for part in restored:
            if part.is_last:
                self._counters.restores(part.number, part.shard)
        if self._unwritable:
            self._rejects = self._rejects or self._open_rejects()
            self._rejects.write_batch(self._unwritable)

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        if self._rejects:
            self._rejects.close()
