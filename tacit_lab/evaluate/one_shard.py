"""Training of all users in one shard, without Bytewax's engine: versions follow from the count of examples alone."""

from collections.abc import Callable, Sequence

from operators.learn_population import LearnPopulation
from state.catalogue.numbered import NumberedCatalogue
from state.counters import LearningCounters
from state.learning.exact_trainer import ExactTrainer
from state.learning.example import Forget, Message
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationWrite
from state.learning.shard_training import ShardTraining


class OneShard:
    """The steps `train` and `learn_population` of a run with one shard."""

    def __init__(
        self,
        catalogue: NumberedCatalogue,
        shared: CurrentPrior,
        counters: LearningCounters,
        *,
        exact: bool = False,
        clock: Callable[[], int] = int,
    ) -> None:
        """Begin without feedback; `shared` gets the prior of each new version.

        With `exact`, versions have the beliefs without privacy. The clock, in epoch milliseconds, decides the age of
        versions; without one, a version needs all its examples.
        """
        self._shared = shared
        self._counters = counters
        self._training = ShardTraining(catalogue, exact=exact)
        trainer = ExactTrainer(catalogue, self._training) if exact else PopulationTrainer(catalogue)
        self._learn = LearnPopulation(trainer, self._share, counters, clock=clock)

    def _share(self, prior: Prior) -> None:
        self._shared.prior = prior

    def take(self, messages: Sequence[Message]) -> list[PopulationWrite]:
        """Train with messages in order, and return the versions that became due."""
        training, writes = self._training, list[PopulationWrite]()
        for message in messages:
            training.use(self._shared.prior)
            if isinstance(message, Forget):
                training.forget(message.user)
            elif training.learn(message):
                self._counters.examples += 1
            else:
                self._counters.limited += 1
            if training.examples >= self._learn.missing:
                writes += self._merge()
        return writes + self._merge() if training.is_waiting else writes

    def _merge(self) -> list[PopulationWrite]:
        writes, _ = self._learn.on_batch([self._training.take()])
        return writes
