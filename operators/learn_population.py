"""The keyed step that adds up what all shards have learned: deltas → population versions.

All deltas have one key, so one worker of a run has the step. Versions reach the other workers of a live run through
Redis; `operators.rounds` brings them to the workers of a bounded run.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from state.counters import LearningCounters
from state.learning.delta import Delta
from state.learning.example import unpack_message
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationWrite
from state.learning.proof_report import challenged, encode_report

if TYPE_CHECKING:
    from state.learning.challenger import Challengers
    from state.learning.population_trainer import PopulationTrainer  # a second and 80 MB, by River

EXAMPLES_PER_VERSION = 1_000
"""Count of examples for a new version, once the population has `EARLY_EXAMPLES`."""
EARLY_EXAMPLES_PER_VERSION = 250
EARLY_EXAMPLES = 5_000
MIN_EXAMPLES = 100
"""Count of examples for a new version when the last one is older than `VERSION_AFTER_MS` of wall time."""
VERSION_AFTER_MS = 60_000

LOOK = timedelta(seconds=5)


class LearnPopulation(StatefulBatchLogic[Delta, PopulationWrite, bytes]):
    """The population trainer of a run as a dataflow step."""

    def __init__(
        self,
        trainer: "PopulationTrainer",
        share: Callable[[Prior], object],
        counters: LearningCounters,
        *,
        newest: int = 0,
        challengers: "Challengers | None" = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Continue with a trainer.

        `share` is called with the prior of each new version. `newest` is the highest number already published; the
        next one is higher. `challengers` take the messages of deltas.
        """
        self._trainer = trainer
        self._share = share
        self._counters = counters
        self._counters.version = trainer.number
        self._newest = max(newest, trainer.number)
        self._challengers = challengers
        self._clock = clock
        self._published_ms = clock()

    @property
    def prior(self) -> Prior:
        """Prior of the last version."""
        return self._trainer.prior

    @property
    def missing(self) -> int:
        """Examples that the next version lacks."""
        return max(0, self._examples_per_version() - self._trainer.unpublished)

    def on_batch(self, values: list[Delta]) -> tuple[list[PopulationWrite], bool]:
        """Take deltas in order, and publish when enough examples have come."""
        writes = []
        for delta in values:
            self._merge(delta)
            if self._is_due():
                writes.append(self._publish())
        return [*writes, *self._publish_late()], StatefulBatchLogic.RETAIN

    def train_round(self, deltas: Iterable[Delta], *, is_last: bool) -> list[PopulationWrite]:
        """Take the deltas of a whole round, then publish if enough examples have come; after the last, fewer do."""
        self.merge(deltas)
        publishes = self._is_due() or (is_last and self._trainer.unpublished >= MIN_EXAMPLES)
        return [self._publish()] if publishes else []

    def merge(self, deltas: Iterable[Delta]) -> None:
        """Take deltas, and leave a version to later."""
        for delta in deltas:
            self._merge(delta)

    def _is_due(self) -> bool:
        return self._trainer.unpublished >= self._examples_per_version() or self._trainer.must_publish

    def _examples_per_version(self) -> int:
        """Return fewer examples at first: beliefs of a young population move far."""
        return EXAMPLES_PER_VERSION if self._trainer.examples > EARLY_EXAMPLES else EARLY_EXAMPLES_PER_VERSION

    def _merge(self, delta: Delta) -> None:
        self._trainer.merge(delta)
        if self._challengers is not None:
            for data in delta.messages:
                self._challengers.take(unpack_message(data))

    def on_notify(self) -> tuple[list[PopulationWrite], bool]:
        """Publish when the last version is old enough."""
        return self._publish_late(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[PopulationWrite], bool]:
        """Publish a version without a topic that is sensitive now."""
        return [self._publish()] if self._trainer.must_publish else [], StatefulBatchLogic.RETAIN

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
