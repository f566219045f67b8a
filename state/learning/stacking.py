"""How much to make of each part of a prediction: of the population's belief, and of a person's own in each facet.

Priors are guesses that are made once for all deployments. Here the guess is mended by what judgements show: a
prediction is a sum of parts, and each part is multiplied by a factor that is learned as another layer of the same
probit model, with real-valued inputs ("stacking": Wolpert, Neural Networks 5(2), 1992). It keeps predictions
calibrated, whatever the weights of a catalogue's feedback kinds: here judgements count in full, as what is learned is
how often people like.
"""

from collections.abc import Mapping
from math import sqrt

from state.learning.population_version import Gaussian
from state.learning.probit import corrections

OFFSET = "offset"
"""A part that is always 1; its factor is 0 until something is learned. All other factors begin at 1."""
POPULATION = "population"
OWN_BIAS = "own"
PRIOR_VARIANCE = 0.1


def own_part(facet: str) -> str:
    """Return the name of a person's own belief in a facet, as a part of predictions."""
    return f"{OWN_BIAS}:{facet}"


class Stacking:
    """The factors, by part.

    >>> trust = Stacking()
    >>> for _ in range(200):
    ...     trust.learn({"population": 0.5}, 1.2, liked=False)
    >>> trust.factors["population"].mean < 0.2
    True
    """

    def __init__(self, factors: Mapping[str, Gaussian] | None = None) -> None:
        self.factors = dict(factors or {})

    def learn(self, parts: Mapping[str, float], variance: float, liked: bool) -> None:
        """Learn from one judgement; `parts` is part → what it was, `variance` that of the judgement."""
        factors, beliefs = self.factors, []
        mean = 0.0
        for part, x in parts.items():
            m, v = factors.get(part) or Gaussian(0.0 if part == OFFSET else 1.0, PRIOR_VARIANCE)
            mean += m * x
            variance += v * x * x
            beliefs.append((part, x, m, v))
        scale = sqrt(variance)
        sign = 1.0 if liked else -1.0
        gain, shrink = corrections(sign * mean / scale)
        mean_step, variance_step = sign * gain / scale, shrink / variance
        for part, x, m, v in beliefs:
            factors[part] = Gaussian(m + v * x * mean_step, v * (1.0 - v * x * x * variance_step))
