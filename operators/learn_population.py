"""The keyed step that grows the shared belief: people's judgements → versions of what is believed of everybody.

There is one key, so one worker of a run learns for all; versions reach the others through the sink and their feeds.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from state.counters import LearningCounters
from state.learning.example import unpack_example
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationWrite

if TYPE_CHECKING:
    from state.learning.population_trainer import PopulationTrainer  # a second and 80 MB, by River's linear models

EXAMPLES_PER_VERSION = 1_000
"""So many judgements make a new version."""
MIN_EXAMPLES = 100
"""Or so many, if the last version is older than `VERSION_AFTER_MS` of wall time."""
VERSION_AFTER_MS = 60_000

_LOOK = timedelta(seconds=5)


class LearnPopulation(StatefulBatchLogic[list[bytes], PopulationWrite, bytes]):
    """The population's belief of a run."""

    def __init__(
        self,
        learner: "PopulationTrainer",
        hand_over: Callable[[Prior], object],
        counters: LearningCounters,
        *,
        newest: int = 0,
        at_end: bool = False,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Go on with a learner.

        `hand_over` is called with each new version, which this process may use at once. `newest` is the number of the
        newest version that others know: the next one is higher. `at_end` says whether the end of the input makes a
        version, too.
        """
        self._learner = learner
        self._hand_over = hand_over
        self._counters = counters
        self._newest = max(newest, learner.number)
        self._at_end = at_end
        self._clock = clock
        self._published_ms = clock()

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[PopulationWrite], bool]:
        """Learn from packed examples; publish whenever there are enough."""
        writes = []
        for packed in values:
            for data in packed:
                self._learner.learn(unpack_example(data))
                if self._learner.unpublished >= EXAMPLES_PER_VERSION:
                    writes.append(self._publish())
        self._counters.examples += sum(map(len, values))
        return [*writes, *self._publish_late()], StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[list[PopulationWrite], bool]:
        """Publish what has waited long enough."""
        return self._publish_late(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[PopulationWrite], bool]:
        """Publish what is left, if that is asked for."""
        publishes = self._at_end and self._learner.unpublished >= MIN_EXAMPLES
        return [self._publish()] if publishes else [], StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        """Ask to be woken while something waits."""
        return datetime.now(UTC) + _LOOK if self._learner.unpublished else None

    def _publish_late(self) -> list[PopulationWrite]:
        is_late = self._clock() - self._published_ms >= VERSION_AFTER_MS
        return [self._publish()] if is_late and self._learner.unpublished >= MIN_EXAMPLES else []

    def _publish(self) -> PopulationWrite:
        self._newest += 1
        write = self._learner.publish(self._newest)
        self._published_ms = self._clock()
        self._counters.version = self._newest
        self._counters.scores = self._learner.scores
        self._hand_over(self._learner.prior)
        return write

    def snapshot(self) -> bytes:
        """Return all that is known, for Bytewax to keep."""
        return self._learner.pack()
