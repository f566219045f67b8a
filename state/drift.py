"""Did this person change? A CUSUM per facet of "the belief has reversed" against "the belief holds".

Page, "Continuous inspection schemes", Biometrika 41, 1954. Each piece of feedback adds the log likelihood ratio of the
two, with the facet's share of the mean taken with the opposite sign; the sum never falls below 0.
"""

from math import erfc, log, sqrt

THRESHOLD = 2.5
"""A sum above this flags a change."""
MEAN_KEPT = 0.3
"""Share of the facet's means that survives a flag."""
VARIANCE_REGAINED = 0.7
"""Share of the way back to the prior's variance."""
SETTLED = 6
"""Pieces of evidence, from the one that raised a flag, after which the tier is no longer one lower: five fresh ones."""

_SQRT_HALF = sqrt(0.5)
_LEAST = 1e-12


def log_phi(z: float) -> float:
    """Return ln Φ(z), the log of the standard normal distribution function.

    >>> round(log_phi(0.0), 6)
    -0.693147
    """
    return log(max(0.5 * erfc(-z * _SQRT_HALF), _LEAST))
