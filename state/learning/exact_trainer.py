"""The population model without privacy as a trainer, for evaluations (state.learning.exact_population)."""

from typing import cast

from state.catalogue.numbered import NumberedCatalogue
from state.learning.exact_population import ExactStacking, ExactVotes
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import Gaussian
from state.learning.shard_training import ShardTraining


class ExactTrainer(PopulationTrainer):
    """Publishes the beliefs that the one shard of an evaluation moves with each feedback."""

    def __init__(self, catalogue: NumberedCatalogue, training: ShardTraining) -> None:
        """Publish the beliefs of an exact training."""
        super().__init__(catalogue)
        self._votes = cast("ExactVotes", training.votes)
        self._stacking = cast("ExactStacking", training.stacking).stacking

    def _release(self) -> dict[str, Gaussian]:
        return self._votes.published()

    def _popularity(self) -> dict[str, int]:
        return self._votes.popularity()
