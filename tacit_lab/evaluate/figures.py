"""Figures of predictions: each prediction is made before the training with its example.

Prequential evaluation (Dawid, "Statistical theory: the prequential approach", JRSS A 147, 1984).
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from river import metrics

from state.learning.calibration import BINS
from tacit_lab.evaluate.calibration import Calibration

CALIBRATION_BINS = BINS
"""Equally wide bins of the expected calibration error."""

_TRAINING_SHARE = 0.3
"""Share of the examples, from the first, that trains models only and is not scored."""


class Bucket(NamedTuple):
    """Examples by their number among the examples of the user, counted from 1."""

    name: str
    first: int
    last: int | None
    """None: no limit."""

    def holds(self, number: int) -> bool:
        """Return True if a user's example of that number is in the bucket."""
        return self.first <= number and (self.last is None or number <= self.last)


BUCKETS = (Bucket("1-5", 1, 5), Bucket("6-20", 6, 20), Bucket("21+", 21, None))
ALL = Bucket("all", 1, None)


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a model's predictions; None without an example to measure."""

    n: int
    log_loss: float | None
    """Mean in nats."""
    auc: float | None
    """Area under the ROC curve; None without both likes and dislikes."""
    accuracy: float | None
    """Share of predictions on the right side of one half."""
    ece: float | None
    """Expected calibration error, in `CALIBRATION_BINS` bins."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name, rounded to six digits."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


class FeedbackOutcomes:
    """Outcomes of the examples in the order of the stream, four bytes each."""

    def __init__(self) -> None:
        self.liked = array("b")
        self.numbers = array("H")
        """Number of each example among the examples of its user, from 1 up to 256."""
        self.user_buckets = array("B")
        """Last byte of each user's pseudonym."""

    def __len__(self) -> int:
        return len(self.liked)

    def add(self, liked: bool, number: int, user: bytes = b"\0") -> None:
        """Add the next example."""
        self.liked.append(liked)
        self.numbers.append(number)
        self.user_buckets.append(user[-1])

    def within(self, bucket: Bucket, start: int = 0) -> Iterator[int]:
        """Yield the indices of a bucket's examples from index `start`."""
        numbers = self.numbers
        return (index for index in range(start, len(numbers)) if bucket.holds(numbers[index]))


def scored_from(n: int) -> int:
    """Return the index of the first of the last 70% of `n` examples.

    >>> scored_from(10), scored_from(1), scored_from(0)
    (3, 0, 0)
    """
    return int(n * _TRAINING_SHARE)


def figures_of(liked: Sequence[int], p: Sequence[float]) -> Figures:
    """Return the figures of predictions by River's metrics; the area is exact, River's is an approximation.

    Args:
        liked: 0 or 1, by example.
        p: predicted chance of a like, 0–1, by example.
    """
    if not liked:
        return Figures(0, None, None, None, None)
    log_loss, accuracy, calibration = metrics.LogLoss(), metrics.Accuracy(), Calibration()
    for outcome, chance in zip(liked, p, strict=True):
        y = bool(outcome)
        log_loss.update(y, chance)
        accuracy.update(y, chance >= 0.5)
        calibration.update(y, chance)
    return Figures(len(liked), log_loss.get(), auc(liked, p), accuracy.get(), calibration.get())


def auc(liked: Sequence[int], p: Sequence[float]) -> float | None:
    """Return the share of pairs of a like and a dislike in which the like has the higher chance; a tie counts half.

    This Mann–Whitney statistic is exact. River's `ROCAUC` takes some thresholds only, and the result of River's
    `RollingROCAUC` depends on the order of ties.
    """
    y = np.asarray(liked, dtype=bool)
    likes, dislikes = int(y.sum()), int((~y).sum())
    if not likes or not dislikes:
        return None
    _, groups, counts = np.unique(np.asarray(p, dtype=float), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[groups]
    return float((ranks[y].sum() - likes * (likes + 1) / 2) / (likes * dislikes))
