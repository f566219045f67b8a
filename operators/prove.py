"""The keyed step of runs that do not train the population model: deltas with sums of proof → reports of proof."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from operators.learn_population import EXAMPLES_PER_VERSION, LOOK, MIN_EXAMPLES, VERSION_AFTER_MS
from state.counters import LearningCounters
from state.learning.delta import Delta
from state.learning.proof_report import ReportWrite

if TYPE_CHECKING:
    from state.learning.proof_trainer import ProofTrainer


class Prove(StatefulBatchLogic[Delta, ReportWrite, bytes]):
    """The proof of a run as a dataflow step. Reports come as often as population versions."""

    def __init__(
        self,
        trainer: "ProofTrainer",
        counters: LearningCounters,
        *,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Continue with a proof."""
        self._trainer = trainer
        self._counters = counters
        self._clock = clock
        self._published_ms = clock()

    @property
    def prior(self) -> None:
        """None: without training, the prior of the run stays."""
        return None

    def on_batch(self, values: list[Delta]) -> tuple[list[ReportWrite], bool]:
        """Take deltas, and publish when enough answers have come."""
        writes = []
        for delta in values:
            self._trainer.merge(delta)
            if self._trainer.unpublished >= EXAMPLES_PER_VERSION:
                writes.append(self._publish())
        return [*writes, *self._publish_late()], StatefulBatchLogic.RETAIN

    def train_round(self, deltas: Iterable[Delta], *, is_last: bool) -> list[ReportWrite]:
        """Take the deltas of a whole round, then publish if enough answers have come; the last round publishes any."""
        self.merge(deltas)
        least = 1 if is_last else EXAMPLES_PER_VERSION
        return [self._publish()] if self._trainer.unpublished >= least else []

    def merge(self, deltas: Iterable[Delta]) -> None:
        """Take deltas, and leave a report to later."""
        for delta in deltas:
            self._trainer.merge(delta)

    def on_notify(self) -> tuple[list[ReportWrite], bool]:
        """Publish when the last report is old enough."""
        return self._publish_late(), StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        """Request a wake-up while answers are unpublished."""
        return datetime.now(UTC) + LOOK if self._trainer.unpublished else None

    def _publish_late(self) -> list[ReportWrite]:
        is_late = self._clock() - self._published_ms >= VERSION_AFTER_MS
        return [self._publish()] if is_late and self._trainer.unpublished >= MIN_EXAMPLES else []

    def _publish(self) -> ReportWrite:
        write = self._trainer.publish()
        self._published_ms = self._clock()
        self._counters.proof = write.report
        return write

    def snapshot(self) -> bytes:
        """Return the state for Bytewax."""
        return self._trainer.pack()
