"""Predictions without topics and surfaces, to show what these gain."""

from math import sqrt
from statistics import NormalDist

from state.events.observation import NONE
from state.learning.example import Example
from state.learning.population_prior import Prior
from state.learning.prediction import PopulationPart, UserPart
from state.learning.probit import normal_cdf

_NORMAL = NormalDist()
_LEAST = 1e-9
"""Distance of a prediction from 0 and from 1."""


def without_context(e: Example, prior: Prior) -> float:
    """Return the prediction of an example as if its topic and surface were unknown, with the prior that predicted it.

    Everything else stays as it was predicted: the score, Φ⁻¹(p), changes by the difference of the two scores.
    """
    if e.topic == NONE and e.surface == NONE:
        return e.p
    own = e.own
    there = prior.expect(e.slots, e.topic, e.surface, e.item, e.feedback_count)
    anywhere = prior.expect(e.slots, NONE, NONE, e.item, e.feedback_count)
    score = _NORMAL.inv_cdf(min(max(e.p, _LEAST), 1.0 - _LEAST))
    return normal_cdf(score - _score(there, own) + _score(anywhere, own))


def _score(expected: PopulationPart, own: UserPart) -> float:
    return expected.stacked_mean(own) / sqrt(expected.variance + own.variance)
