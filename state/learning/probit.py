"""The standard normal distribution, and the correction of a Gaussian belief by one observation.

Formulas of adPredictor: Graepel, Candela, Borchert, Herbrich, "Web-scale Bayesian click-through rate prediction for
sponsored search", ICML 2010.
"""

import math

MAX_SURPRISE = 5.0
"""Limit of z in standard deviations: a larger surprise corrects a belief no further."""

_MAX_SURPRISE = MAX_SURPRISE
_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_LEAST = 1e-12


def normal_cdf(z: float) -> float:
    """Return Φ(z), the standard normal distribution function.

    >>> normal_cdf(0.0)
    0.5
    """
    return 0.5 * math.erfc(-z * _SQRT_HALF)


def log_normal_cdf(z: float) -> float:
    """Return ln Φ(z), the log of the standard normal distribution function.

    >>> round(log_normal_cdf(0.0), 6)
    -0.693147
    """
    return math.log(max(0.5 * math.erfc(-z * _SQRT_HALF), _LEAST))


def gain(z: float) -> float:
    """Return N(z), the correction of a mean by one observation (eq. 11).

    >>> round(gain(0.0), 3)
    0.798
    """
    t = _clipped(z)
    return _DENSITY * math.exp(-0.5 * t * t) / (0.5 * math.erfc(-t * _SQRT_HALF))


def shrink(z: float, gain: float) -> float:
    """Return W(z), the correction of a variance by one observation (eq. 12), given `gain(z)`.

    >>> round(shrink(0.0, gain(0.0)), 3)
    0.637
    """
    return gain * (gain + _clipped(z))


def _clipped(z: float) -> float:
    return min(_MAX_SURPRISE, max(-_MAX_SURPRISE, z))


def corrections(z: float) -> tuple[float, float]:
    """Return N(z) and W(z).

    >>> n, w = corrections(0.0)
    >>> round(n, 3), round(w, 3)
    (0.798, 0.637)
    """
    n = gain(z)
    return n, shrink(z, n)
