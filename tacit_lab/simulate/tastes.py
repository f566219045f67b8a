"""Tastes: the utility of each value of each facet for a user.

The chance of a like follows a probit model: Φ(bias + Σ utility of each facet's value). A utility is the sum of the
effects of the population, a cohort, the user, a topic and, for some users, the user on this topic. The utility of an
ordered facet has a single peak (Coombs, "A Theory of Data", 1964). So "shorter" asks for a value that is closer to the
best one.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from random import Random

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.catalogue import Facet

Utilities = dict[str, dict[str, float]]
"""Facet → value → utility, in standard deviations of the probit's noise."""

Style = Mapping[str, str | Sequence[str]]
"""Facet → value or values of an answer, as in events."""

COHORT_SHARES = (0.30, 0.25, 0.20, 0.10, 0.10, 0.05)

_POPULATION_SD, _COHORT_SD, _USER_SD, _TOPIC_SD = 0.15, 0.35, 0.5, 0.2
_OWN_TOPIC_SD = 0.35
_BEND = 0.2
"""Loss of utility from the middle of an ordered facet to each end."""
_FACETS = 5
"""Count of facets for these deviations; with another count they are scaled to the same total variance."""
_CHANGES = 0.5
"""Share of the facets in a change of taste."""


def best(utilities: Utilities) -> dict[str, str]:
    """Return the value of each facet with the highest utility."""
    return {facet: max(values, key=values.__getitem__) for facet, values in utilities.items()}


def worths(utilities: Utilities, style: Style) -> dict[str, float]:
    """Return by facet the mean utility of the served values; of all values for an absent facet.

    >>> worths({"length": {"concise": 0.5, "detailed": -0.1}}, {"length": ["concise"]})
    {'length': 0.5}
    """
    return {facet: _worth(values, style.get(facet)) for facet, values in utilities.items()}


def score(utilities: Utilities, style: Style) -> float:
    """Return the sum over the facets."""
    return sum(worths(utilities, style).values())


def _worth(values: Mapping[str, float], served: str | Sequence[str] | None) -> float:
    if isinstance(served, str):
        return values[served]
    return sum(values[value] for value in served or values) / len(served or values)


class Tastes:
    """Effects of the population, the cohorts and the topics, drawn once per simulation."""

    def __init__(self, random: Random, catalogue: NumberedCatalogue) -> None:
        self._catalogue = catalogue
        self._scale = sqrt(_FACETS / len(catalogue.facets))
        self._population = self._effects(random, _POPULATION_SD)
        self._cohorts = _centred([self._effects(random, _COHORT_SD) for _ in COHORT_SHARES])
        self.topic_effects = {topic: self._effects(random, _TOPIC_SD) for topic in catalogue.topics.values}

    def draw(self, random: Random) -> tuple[int, Utilities]:
        """Return a user's cohort and taste."""
        cohort = random.choices(range(len(COHORT_SHARES)), COHORT_SHARES)[0]
        user = self._effects(random, _USER_SD)
        levels = (self._population, self._cohorts[cohort], user)
        return cohort, {
            name: {
                value: round(sum(level[name][value] for level in levels) + bend, 3)
                for value, bend in zip(facet.values, _bends(facet, self._scale), strict=True)
            }
            for name, facet in self._catalogue.facets.items()
        }

    def changed(self, random: Random, before: Utilities) -> Utilities:
        """Return another user's taste in a random part of the facets, at least one, and the former taste elsewhere."""
        other = self.draw(random)[1]
        first = random.choice(self._catalogue.facet_names)
        return {
            facet: other[facet] if facet == first or random.random() < _CHANGES else values
            for facet, values in before.items()
        }

    def on_topic(self, random: Random) -> Utilities:
        """Return the effects of one topic on one user, in addition to those on all users."""
        return {
            name: {value: round(effect, 3) for value, effect in values.items()}
            for name, values in self._effects(random, _OWN_TOPIC_SD).items()
        }

    def _effects(self, random: Random, sd: float) -> Utilities:
        sd *= self._scale
        return {name: _facet_effects(random, facet, sd) for name, facet in self._catalogue.facets.items()}


def _facet_effects(random: Random, facet: Facet, sd: float) -> dict[str, float]:
    """Return an effect per value; their mean is 0."""
    if not facet.ordered:
        draws = [random.gauss(0, sd) for _ in facet.values]
        return {value: draw - sum(draws) / len(draws) for value, draw in zip(facet.values, draws, strict=True)}
    slope = random.gauss(0, sd)
    return {value: slope * place for value, place in zip(facet.values, _places(facet), strict=True)}


def _places(facet: Facet) -> list[float]:
    """Return the position of each value on a scale from −1 to 1."""
    last = len(facet.values) - 1
    return [2 * index / last - 1 for index in range(last + 1)]


def _bends(facet: Facet, scale: float) -> list[float]:
    """Return the curve of an ordered facet by value; the mean is 0."""
    if not facet.ordered:
        return [0.0] * len(facet.values)
    squares = [place * place for place in _places(facet)]
    mean = sum(squares) / len(squares)
    return [_BEND * scale * (mean - square) for square in squares]


def _centred(cohorts: list[Utilities]) -> list[Utilities]:
    """Subtract the weighted mean of the cohorts, which belongs to the population, from each cohort."""

    def mean(facet: str, value: str) -> float:
        return sum(share * cohort[facet][value] for share, cohort in zip(COHORT_SHARES, cohorts, strict=True))

    common = {facet: {value: mean(facet, value) for value in values} for facet, values in cohorts[0].items()}
    return [
        {
            facet: {value: effect - common[facet][value] for value, effect in values.items()}
            for facet, values in c.items()
        }
        for c in cohorts
    ]
