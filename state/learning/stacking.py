"""Stacking: constant weights of the parts of a prediction (Wolpert, Neural Networks 5(2), 1992).

A prediction is a sum of parts: the population's part, and the user's part for each facet. The user's part counts for
more than its own training assumes, as forgetting keeps it small. Earlier versions learned a factor for each part from
all feedback; such factors show the feedback of single users, and with noise they need a million users.
"""

from state.learning.population_version import Gaussian

OFFSET = "offset"
"""The part with the constant value 1; published versions of earlier models have a factor for it."""
POPULATION = "population"
OWN_BIAS = "own"
OWN_FACTOR = Gaussian(1.4, 0.0)
"""Factor of the user's parts: measured on films (0.8 to 1.3) and on simulated users (1.2 to 2.9)."""


def user_part_name(facet: str) -> str:
    """Return the name of the user's part for a facet."""
    return f"{OWN_BIAS}:{facet}"
