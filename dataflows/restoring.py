"""Restoration of a namespace after Redis lost data under a live run, from the state of the run itself.

The processes of a run share the number of the loss. The sources pass it on to all shards, and each shard writes the
present gates and signals of its users (operators.restoring). The newest state is in the shards, not in a checkpoint: so
there is nothing to wait for, and no signal returns that a later "no" has ended.
"""

from multiprocessing import get_context

import structlog

from dataflows.observability.watch import FLUSHED, Watch

_log = structlog.get_logger(__name__)


class Loss:
    """Number of the last loss of data in Redis; multiprocessing hands it to a process that it starts."""

    def __init__(self) -> None:
        self._number = get_context("spawn").Value("q", 0, lock=False)  # one aligned number: one writer, no tearing

    def __call__(self) -> int:
        """Return the number of the loss after which Redis is not whole yet; 0 for none."""
        return max(0, int(self._number.value))

    def begin(self) -> None:
        """Note a loss; shards that write again after an earlier loss begin once more."""
        self._number.value = abs(int(self._number.value)) + 1

    @property
    def number(self) -> int:
        """Number as stored: negative once all signals are in Redis again."""
        return int(self._number.value)

    def follow(self, number: int) -> None:
        """Take the number of the first host."""
        self._number.value = number

    def end(self) -> None:
        """Note that all signals are in Redis again."""
        self._number.value = -abs(int(self._number.value))


class Restoring:
    """Restorations of one run; the run is not ready until the last one has ended.

    Args:
        loss: number of the loss, which the processes of the run share.
        watch: watch over the run.
        shards: count of shards.
        namespace: name of the namespace, for the log.
    """

    def __init__(self, loss: Loss, watch: Watch, shards: int, namespace: str) -> None:
        self._loss = loss
        self._watch = watch
        self._shards = shards
        self._namespace = namespace

    def begin(self) -> None:
        """Let all shards write their gates and signals."""
        self._watch.fail(FLUSHED, "the signals of all users are being written again")
        self._loss.begin()

    @property
    def is_running(self) -> bool:
        """True until the end of a restoration that has begun."""
        return self._loss() > 0

    @property
    def is_complete(self) -> bool:
        """True once all shards have written everything after a loss."""
        number = self._loss()
        return number > 0 and self._watch.restored(number) >= self._shards

    def end(self) -> None:
        """End the restoration."""
        self._loss.end()
        self._watch.clear(FLUSHED)
        _log.info("redis.restored", namespace=self._namespace)
