"""The features of answers in a population model, by number: a name is made and looked up once."""

from math import fsum

from state.learning.feature_numbers import FeatureNumbers
from state.learning.features import prior_variance
from state.learning.population_model import Feature, PopulationModel


class KnownFeatures:
    """Table from number to feature."""

    def __init__(self, population: PopulationModel, numbers: FeatureNumbers) -> None:
        self._population = population
        self.numbers = numbers
        self._table: list[Feature | None] = []
        self._generation, self._removals = numbers.generation, population.removals

    def take(self) -> list[Feature]:
        """Return the features of the answer in `numbers`; new ones start at their prior."""
        self._refresh()
        found = []
        for place in range(self.numbers.count):
            number = self.numbers.number(place)
            feature = self._at(number)
            if feature is None:
                feature = self._table[number] = self._population.add(self.numbers.name(number))
            found.append(feature)
        return found

    def expect(self) -> tuple[float, float]:
        """Return mean and variance of the sum of the features, without noise; no feature is added to the model."""
        self._refresh()
        means, variances = [], []
        for place in range(self.numbers.count):
            number = self.numbers.number(place)
            feature = self._at(number) or self._population.features.get(self.numbers.name(number))
            means.append(feature.mean if feature else 0.0)
            variances.append(feature.variance if feature else prior_variance(self.numbers.name(number)))
        return fsum(means), fsum(variances)

    def _refresh(self) -> None:
        """Empty the table after a feature was removed from the model, or numbers changed their meaning."""
        if self._generation != self.numbers.generation or self._removals != self._population.removals:
            self._generation, self._removals = self.numbers.generation, self._population.removals
            self._table.clear()

    def _at(self, number: int) -> Feature | None:
        missing = number + 1 - len(self._table)
        if missing > 0:
            self._table.extend([None] * missing)
        return self._table[number]
