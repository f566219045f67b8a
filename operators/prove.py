"""The keyed step of runs that do not train the population model: answers with logged choices → reports of proof."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from operators.learn_population import EXAMPLES_PER_VERSION, LOOK, MIN_EXAMPLES, VERSION_AFTER_MS
from state.counters import LearningCounters
from state.learning.example import Example, unpack_message
from state.learning.proof_report import ReportWrite

if TYPE_CHECKING:
    from state.learning.proof_trainer import ProofTrainer


class Prove(StatefulBatchLogic[list[bytes], ReportWrite, bytes]):
    """The proof of a run as a dataflow step. Reports come as often as population versions."""

    def __init__(
        self,
        trainer: "ProofTrainer",
        counters: LearningCounters,
        *,
        at_end: bool = False,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Continue with a proof. With `at_end` the end of the input publishes, too."""
        self._trainer = trainer
        self._counters = counters
        self._at_end = at_end
        self._clock = clock
        self._published_ms = clock()

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[ReportWrite], bool]:
        """Take packed answers, and publish when enough have come."""
        writes = []
        for packed in values:
            for data in packed:
                message = unpack_message(data)
                if isinstance(message, Example) and not self._trainer.learn(message):
                    self._counters.limited += 1
                if self._trainer.unpublished >= EXAMPLES_PER_VERSION:
                    writes.append(self._publish())
        return [*writes, *self._publish_late()], StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[list[ReportWrite], bool]:
        """Publish when the last report is old enough."""
        return self._publish_late(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[ReportWrite], bool]:
        """Publish the remaining answers, with `at_end`."""
        publishes = self._at_end and self._trainer.unpublished
        return [self._publish()] if publishes else [], StatefulBatchLogic.RETAIN

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
