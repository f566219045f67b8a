"""The keyed step that trains the population model: training examples → population versions.

All examples have one key, so one worker of a run trains. Versions reach the other workers through Redis.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from state.counters import LearningCounters
from state.learning.example import Forget, Message, unpack_message
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationWrite
from state.learning.proof_report import challenged, encode_report

if TYPE_CHECKING:
    from state.learning.challenger import Challengers
    from state.learning.population_trainer import PopulationTrainer  # a second and 80 MB, by River's linear models

EXAMPLES_PER_VERSION = 1_000
"""Count of examples for a new version, once the population has `EARLY_EXAMPLES`."""
EARLY_EXAMPLES_PER_VERSION = 250
EARLY_EXAMPLES = 5_000
MIN_EXAMPLES = 100
"""Count of examples for a new version when the last one is older than `VERSION_AFTER_MS` of wall time."""
VERSION_AFTER_MS = 60_000

LOOK = timedelta(seconds=5)


class LearnPopulation(StatefulBatchLogic[list[bytes], PopulationWrite, bytes]):
    """The population trainer of a run as a dataflow step."""

    def __init__(
        self,
        trainer: "PopulationTrainer",
        share: Callable[[Prior], object],
        counters: LearningCounters,
        *,
        newest: int = 0,
        at_end: bool = False,
        challengers: "Challengers | None" = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Continue with a trainer.

        `share` is called with the prior of each new version. `newest` is the highest number already published; the
        next one is higher. With `at_end` the end of the input publishes, too. `challengers` take the same examples.
        """
        self._trainer = trainer
        self._share = share
        self._counters = counters
        self._newest = max(newest, trainer.number)
        self._at_end = at_end
        self._challengers = challengers
        self._clock = clock
        self._published_ms = clock()

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[PopulationWrite], bool]:
        """Take packed examples and forgets in order, and publish when enough examples have come."""
        writes = []
        for packed in values:
            for data in packed:
                self._take(unpack_message(data))
                if self._trainer.unpublished >= self._examples_per_version() or self._trainer.must_publish:
                    writes.append(self._publish())
        return [*writes, *self._publish_late()], StatefulBatchLogic.RETAIN

    def _examples_per_version(self) -> int:
        """Return fewer examples at first: beliefs of a young population move far."""
        return EXAMPLES_PER_VERSION if self._trainer.examples > EARLY_EXAMPLES else EARLY_EXAMPLES_PER_VERSION

    def _take(self, message: Message) -> None:
        if isinstance(message, Forget):
            self._trainer.forget(message.user)
        elif self._trainer.learn(message):
            self._counters.examples += 1
        else:
            self._counters.limited += 1
            return
        if self._challengers is not None:
            self._challengers.take(message)

    def on_notify(self) -> tuple[list[PopulationWrite], bool]:
        """Publish when the last version is old enough."""
        return self._publish_late(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[PopulationWrite], bool]:
        """Publish the remaining examples, with `at_end`."""
        publishes = self._trainer.must_publish or (self._at_end and self._trainer.unpublished >= MIN_EXAMPLES)
        return [self._publish()] if publishes else [], StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        """Request a wake-up while examples are unpublished."""
        return datetime.now(UTC) + LOOK if self._trainer.unpublished or self._trainer.must_publish else None

    def _publish_late(self) -> list[PopulationWrite]:
        is_late = self._clock() - self._published_ms >= VERSION_AFTER_MS
        publishes = self._trainer.must_publish or (is_late and self._trainer.unpublished >= MIN_EXAMPLES)
        return [self._publish()] if publishes else []

    def _publish(self) -> PopulationWrite:
        self._newest += 1
        write = self._trainer.publish(self._newest)
        self._published_ms = self._clock()
        self._counters.version = self._newest
        self._counters.scores = self._trainer.scores
        if self._challengers is not None:
            self._counters.challengers = self._challengers.scores()
        self._share(self._trainer.prior)
        report = self._counters.proof = encode_report(
            self._trainer.proof.report(challenged(self._counters.challengers))
        )
        return write._replace(report=report)

    def snapshot(self) -> bytes:
        """Return the trainer's state for Bytewax."""
        return self._trainer.pack()
