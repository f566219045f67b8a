"""Predictions without topics and surfaces, to show what these gain: the population's effects, and the user's own."""

from collections.abc import Mapping
from math import fsum, sqrt
from statistics import NormalDist
from typing import NamedTuple

from state.events.observation import NONE, Observation
from state.learning.example import Example
from state.learning.population_prior import Prior
from state.learning.prediction import PopulationPart, UserPart
from state.learning.probit import normal_cdf
from state.user.user_state import UserState

_NORMAL = NormalDist()
_LEAST = 1e-9
"""Distance of a prediction from 0 and from 1."""


class ContextFree(NamedTuple):
    """A prediction as if something about its context were unknown; everything else is as it was predicted."""

    anywhere: float
    """Without effects of topic and surface."""
    without_own: float
    """With the population's effects of topic and surface, and without the user's own."""


def own_effects(state: UserState | None, o: Observation) -> Mapping[int, float]:
    """Return facet → the user's own effects of topic and surface on an answer; the state is from before the answer."""
    if state is None or not state.has_preferences or (o.topic == NONE and o.surface == NONE):
        return {}
    model = state.model
    return model.effects(o.slots, model.contexts.find(model.keys_of(o.topic, o.surface)))


def without_context(e: Example, prior: Prior, effects: Mapping[int, float]) -> ContextFree:
    """Return the predictions of an example without context, with the prior that predicted it.

    The score Φ⁻¹(p) changes by the difference of the scores with and without the effects.
    """
    if e.topic == NONE and e.surface == NONE:
        return ContextFree(e.p, e.p)
    own, lasting = e.own, _without(e.own, effects)
    there = prior.expect(e.slots, e.topic, e.surface, e.item, e.feedback_count)
    anywhere = prior.expect(e.slots, NONE, NONE, e.item, e.feedback_count)
    rest = _NORMAL.inv_cdf(min(max(e.p, _LEAST), 1.0 - _LEAST)) - _score(there, own)
    return ContextFree(normal_cdf(rest + _score(anywhere, lasting)), normal_cdf(rest + _score(there, lasting)))


def _without(own: UserPart, effects: Mapping[int, float]) -> UserPart:
    shares = {facet: share - effects.get(facet, 0.0) for facet, share in own.shares.items()}
    return own._replace(mean=own.mean - fsum(effects.values()), shares=shares)


def _score(expected: PopulationPart, own: UserPart) -> float:
    return expected.stacked_mean(own) / sqrt(expected.variance + own.variance)
