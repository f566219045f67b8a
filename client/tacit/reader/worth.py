"""Worth of a question to the user: the expected value of information of the answer."""

from statistics import NormalDist

from tacit.contract.signals import Signal

SPREAD_UNKNOWN = 0.2
"""Standard deviation of the difference of two values' chances of a like, for a user without feedback."""
MIN_WORTH = 0.02
"""Least worth of a question, in the chance of a like of each later answer."""

_NORMAL = NormalDist()
_LEAST_Z = 0.01


def worth_of_asking(signal: Signal | None) -> float:
    """Return how much the chance of a like of each later answer is expected to rise if the user settles a facet.

    The difference D of the chances of value and runner-up is taken as normal, with the mean `gap`, and with the
    standard deviation s for which `confidence` is the probability of D > 0: s = gap / z with z = Φ⁻¹(confidence), at
    most `SPREAD_UNKNOWN`. An answer that shows the better one of the two is worth the unit normal linear loss,
    E[max(0, −D)] = s · (φ(z) − z · Φ(−z)) (Raiffa and Schlaifer, Applied Statistical Decision Theory, 1961).

    Args:
        signal: the signal of the user or of the population; None: nothing is known, and the worth is the largest.

    >>> round(worth_of_asking(None), 3)
    0.08
    """
    if signal is None or signal.confidence is None or signal.gap is None:
        return SPREAD_UNKNOWN * _NORMAL.pdf(0.0)
    confidence = min(max(signal.confidence, 0.5), 0.9999)
    z = _NORMAL.inv_cdf(confidence)
    spread = SPREAD_UNKNOWN if z < _LEAST_Z else min(max(signal.gap, 0.0) / z, SPREAD_UNKNOWN)
    return spread * (_NORMAL.pdf(z) - z * (1.0 - confidence))
