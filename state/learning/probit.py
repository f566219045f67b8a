"""The standard normal distribution, and the correction of a Gaussian belief by one observation.

Formulas of adPredictor: Graepel, Candela, Borchert, Herbrich, "Web-scale Bayesian click-through rate prediction for
sponsored search", ICML 2010.
"""

from math import erfc, exp, log, pi, sqrt

MAX_SURPRISE = 5.0
"""Limit of z in standard deviations: a larger surprise corrects a belief no further."""

_SQRT_HALF = sqrt(0.5)
_DENSITY = 1 / sqrt(2 * pi)
_LEAST = 1e-12


def normal_cdf(z: float) -> float:
    """Return Φ(z), the standard normal distribution function.

    >>> normal_cdf(0.0)
    0.5
    """
    return 0.5 * erfc(-z * _SQRT_HALF)


def log_normal_cdf(z: float) -> float:
    """Return ln Φ(z), the log of the standard normal distribution function.

    >>> round(log_normal_cdf(0.0), 6)
    -0.693147
    """
    return log(max(0.5 * erfc(-z * _SQRT_HALF), _LEAST))


def corrections(z: float) -> tuple[float, float]:
    """Return N(z) and W(z), the corrections of a mean and of a variance by one observation (eq. 11 and 12).

    >>> n, w = corrections(0.0)
    >>> round(n, 3), round(w, 3)
    (0.798, 0.637)
    """
    t = min(MAX_SURPRISE, max(-MAX_SURPRISE, z))
    n = _DENSITY * exp(-0.5 * t * t) / (0.5 * erfc(-t * _SQRT_HALF))
    return n, n * (n + t)
