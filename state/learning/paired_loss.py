"""Paired comparison of two models on the same feedback: the difference of their log losses, with its interval.

Pieces of feedback of one user resemble each other. So the interval is that of a mean over clusters: the differences
are summed in buckets of users, by a hash (Cameron, Miller, "A Practitioner's Guide to Cluster-Robust Inference",
Journal of Human Resources 50(2), 2015).
"""

from math import fsum, log, sqrt
from typing import NamedTuple

from state.learning.bucketed import BUCKETS, bucket_of
from state.learning.student_t import t95

_MIN_BUCKETS = 10
"""Non-empty buckets that an interval takes."""
_LEAST = 1e-15
"""Lower bound of a probability, as in River's log loss."""


class LossDifference(NamedTuple):
    """Mean log loss of two models, and the difference: second minus first; below 0 the second is better."""

    n: int
    """Pieces of feedback."""
    first: float
    second: float
    difference: float
    low: float | None
    """Limits of the 95% interval of the difference; None with users in too few buckets."""
    high: float | None
    buckets: int = 0
    """Buckets of users with feedback."""


class PairedLoss:
    """Sums over feedback that two models predicted, by bucket of users.

    >>> losses = PairedLoss()
    >>> for user in range(100):
    ...     losses.add(bytes([user]), True, 0.5, 0.5 + user / 1000)
    >>> found = losses.result()
    >>> found.n, round(found.difference, 3), found.high < 0
    (100, -0.093, True)
    """

    def __init__(self) -> None:
        self._n = [0] * BUCKETS
        self._first = [0.0] * BUCKETS
        self._differences = [0.0] * BUCKETS

    def add(self, user: bytes, liked: bool, first: float, second: float) -> None:
        """Add a piece of feedback, by the user's pseudonym, with the chance of a like that each model predicted."""
        bucket = bucket_of(user)
        loss = log_loss(liked, first)
        self._n[bucket] += 1
        self._first[bucket] += loss
        self._differences[bucket] += log_loss(liked, second) - loss

    def result(self) -> LossDifference | None:
        """Return the comparison; None without feedback."""
        n = sum(self._n)
        if not n:
            return None
        first, difference = fsum(self._first) / n, fsum(self._differences) / n
        margin = self._margin(n, difference)
        low, high = (None, None) if margin is None else (difference - margin, difference + margin)
        return LossDifference(n, first, first + difference, difference, low, high, self._buckets)

    @property
    def _buckets(self) -> int:
        return sum(count > 0 for count in self._n)

    def _margin(self, n: int, difference: float) -> float | None:
        clusters = self._buckets
        if clusters < _MIN_BUCKETS:
            return None
        squares = fsum(
            (total - count * difference) ** 2 for count, total in zip(self._n, self._differences, strict=True)
        )
        return t95(clusters - 1) * sqrt(clusters / (clusters - 1) * squares) / n


def log_loss(liked: bool, p: float) -> float:
    """Return the log loss of one prediction, in nats.

    >>> round(log_loss(True, 0.5), 3)
    0.693
    """
    return -log(max(p if liked else 1.0 - p, _LEAST))
