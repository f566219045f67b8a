"""The features of answers among the votes of a shard, by number: a name is made and looked up once."""

from math import fsum

from state.learning.feature_numbers import FeatureNumbers
from state.learning.shard_votes import ShardVotes, VotedFeature


class KnownFeatures:
    """Table from number to feature."""

    def __init__(self, votes: ShardVotes, numbers: FeatureNumbers) -> None:
        self._votes = votes
        self.numbers = numbers
        self._table: list[VotedFeature | None] = []
        self._generation, self._removals = numbers.generation, votes.removals

    def take(self) -> list[VotedFeature]:
        """Return the features of the answer in `numbers`; new ones are added to the shard."""
        self._refresh()
        found = []
        for place in range(self.numbers.count):
            number = self.numbers.number(place)
            feature = self._at(number)
            if feature is None:
                feature = self._table[number] = self._votes.add(self.numbers.name(number))
            elif feature.generation != self._votes.generation:
                self._votes.refresh(feature)
            found.append(feature)
        return found

    def expect(self) -> tuple[float, float]:
        """Return mean and variance of the sum of the features, without noise; the shard gets no new feature."""
        beliefs = [self._votes.belief(self.numbers.name(self.numbers.number(n))) for n in range(self.numbers.count)]
        return fsum([mean for mean, _ in beliefs]), fsum([variance for _, variance in beliefs])

    def _refresh(self) -> None:
        """Empty the table after a feature was removed from the shard, or numbers changed their meaning."""
        if self._generation != self.numbers.generation or self._removals != self._votes.removals:
            self._generation, self._removals = self.numbers.generation, self._votes.removals
            self._table.clear()

    def _at(self, number: int) -> VotedFeature | None:
        missing = number + 1 - len(self._table)
        if missing > 0:
            self._table.extend([None] * missing)
        return self._table[number]
