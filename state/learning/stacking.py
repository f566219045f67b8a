"""Stacking: learned weights of the parts of a prediction (Wolpert, Neural Networks 5(2), 1992).

Prior variances are constants for all deployments, and only guesses. A prediction is a sum of parts: the population's
part, and the user's part for each facet. Each part is multiplied by a factor. The factors are learned as another layer
of the same probit model, with real-valued inputs. All feedback counts in full here, whatever its weight, since the
target is the rate of likes. So predictions stay calibrated for any weights of feedback kinds.
"""

from collections.abc import Mapping
from math import sqrt

from state.learning.population_version import Gaussian
from state.learning.probit import corrections

OFFSET = "offset"
"""The part with the constant value 1; its factor starts at 0, all other factors at 1."""
POPULATION = "population"
OWN_BIAS = "own"
PRIOR_VARIANCE = 0.1


def user_part_name(facet: str) -> str:
    """Return the name of the user's part for a facet."""
    return f"{OWN_BIAS}:{facet}"


class Stacking:
    """Stacking factors by part.

    >>> stacking = Stacking()
    >>> for _ in range(200):
    ...     stacking.learn({"population": 0.5}, 1.2, liked=False)
    >>> stacking.factors["population"].mean < 0.2
    True
    """

    def __init__(self, factors: Mapping[str, Gaussian] | None = None) -> None:
        self.factors = dict(factors or {})

    def learn(self, parts: Mapping[str, float], variance: float, liked: bool) -> None:
        """Learn from one piece of feedback; `parts` maps names to values, `variance` includes the noise."""
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
