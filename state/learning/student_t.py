"""Quantile of Student's t distribution."""

Z95 = 1.959963985
"""The normal quantile of a two-sided 95 % interval."""


def t95(freedom: float) -> float:
    """Return the quantile of a two-sided 95 % interval, for at least 3 degrees of freedom.

    Cornish, Fisher, "Moments and cumulants in the specification of distributions", 1938: an expansion by the inverse
    of the degrees; from 3 degrees on, the error is below 0.02.

    >>> round(t95(10), 2), round(t95(63), 2)
    (2.23, 2.0)
    """
    z, n = Z95, freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    found = z
    for power, term in enumerate(terms, 1):
        found += term / n**power
    return found
