"""How good predictions were: each was made before anything was learned from its piece of feedback.

Prequential evaluation (Dawid, "Statistical theory: the prequential approach", JRSS A 147, 1984).
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from river import metrics

from state.learning.calibration import BINS, Calibration

CALIBRATION_BINS = BINS
"""Equally wide bins of the expected calibration error."""

_TRAINING_SHARE = 0.3
"""Of all pieces of feedback, from the first: by then a model has had a stream to learn from, and settings a slice to suit."""


class Bucket(NamedTuple):
    """Pieces of feedback by how many their user had made by then, this one included."""

    name: str
    first: int
    last: int | None
    """None: no end."""

    def holds(self, number: int) -> bool:
        """State whether a user's piece of feedback of that number, from 1, is in it."""
        return self.first <= number and (self.last is None or number <= self.last)


BUCKETS = (Bucket("1-5", 1, 5), Bucket("6-20", 6, 20), Bucket("21+", 21, None))
ALL = Bucket("all", 1, None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model's predictions of some pieces of feedback were worth; None where there was nothing to measure."""

    n: int
    log_loss: float | None
    """Mean, in nats."""
    auc: float | None
    """Area under the ROC curve; none without both likes and dislikes."""
    accuracy: float | None
    """Share of pieces of feedback on the right side of one half."""
    ece: float | None
    """Expected calibration error, in `CALIBRATION_BINS` bins."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name, rounded to six places."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


class FeedbackOutcomes:
    """What was judged, in the order of the stream: a few bytes each."""

    def __init__(self) -> None:
        self.liked = array("b")
        self.numbers = array("H")
        """Of how many pieces of feedback of the user each is the last, up to 256."""

    def __len__(self) -> int:
        return len(self.liked)

    def add(self, liked: bool, number: int) -> None:
        """Take in the next one."""
        self.liked.append(liked)
        self.numbers.append(number)

    def within(self, bucket: Bucket, start: int = 0) -> Iterator[int]:
        """Return the places of a bucket's pieces of feedback from a place on."""
        numbers = self.numbers
        return (place for place in range(start, len(numbers)) if bucket.holds(numbers[place]))


def scored_from(n: int) -> int:
    """Return the place of the first of the last 70% of so many pieces of feedback.

    >>> scored_from(10), scored_from(1), scored_from(0)
    (3, 0, 0)
    """
    return int(n * _TRAINING_SHARE)


def figures_of(liked: Sequence[int], p: Sequence[float]) -> Figures:
    """Return the figures of predictions, by River's metrics but for the area, which these only approximate.

    `liked` is 0 or 1, `p` the chance of a like that was predicted, 0–1.
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
    """Return the chance that of a like and a dislike the like was the likelier one, a tie counting half.

    It is the Mann–Whitney statistic: exact, where River's `ROCAUC` looks at some thresholds and its `RollingROCAUC`
    depends on the order of ties.
    """
    y = np.asarray(liked, dtype=bool)
    likes, dislikes = int(y.sum()), int((~y).sum())
    if not likes or not dislikes:
        return None
    _, place, counts = np.unique(np.asarray(p, dtype=float), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[y].sum() - likes * (likes + 1) / 2) / (likes * dislikes))
