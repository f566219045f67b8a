"""Scores of predictions, each computed before the feedback is learned, from the sums of all shards.

Prequential evaluation (Dawid, JRSS A 147, 1984; Gama, Sebastião, Rodrigues, Machine Learning 90, 2013).
"""

from collections import deque
from collections.abc import Container, Mapping, Sequence
from math import lgamma

from state.learning.calibration import CalibrationSums
from state.learning.drift import DriftDetector
from state.learning.population_version import FacetScore, Scores
from state.learning.scoring_sums import CELLS, LATEST, ScoringDelta

MIN_FEEDBACK = 1_000
"""Feedback on a facet before the facet can be uninformative."""
DRIFT_FEEDBACK = 32
"""Least feedback behind a number of the drift detector: their mean log loss."""

Cells = Mapping[int, tuple[int, int]]


class FacetGain:
    """Recent reduction of the log loss by a facet.

    >>> gain = FacetGain()
    >>> gain.update(4, 0.2)
    >>> gain.update(4, 0.6)
    >>> round(gain.gain, 3), gain.n
    (0.1, 8)
    """

    def __init__(self, gain: float = 0.0, n: int = 0) -> None:
        self.gain = gain
        """Nats per piece of feedback; above 0 the facet helps."""
        self.n = n
        """Pieces of feedback. The average is plain for the first `LATEST`, and fades over `LATEST` afterwards."""

    def update(self, n: int, gain: float) -> None:
        """Add pieces of feedback with the sum of their gains."""
        self.n += n
        share = n / self.n if self.n < LATEST else 1.0 - (1.0 - 1.0 / LATEST) ** n
        self.gain += share * (gain / n - self.gain)

    @property
    def helps(self) -> bool:
        """True until enough feedback shows no gain."""
        return self.n < MIN_FEEDBACK or self.gain > 0.0


class LatestArea:
    """Area under the ROC curve of the latest feedback, at least `LATEST` pieces."""

    def __init__(self) -> None:
        self._deltas: deque[tuple[int, Cells]] = deque()
        self._n = 0
        self._dislikes, self._likes = [0] * CELLS, [0] * CELLS

    def add(self, n: int, cells: Cells) -> None:
        """Add counts of predictions by interval, and drop the oldest ones."""
        self._deltas.append((n, cells))
        self._count(n, cells, 1)
        while self._n - self._deltas[0][0] >= LATEST:
            oldest_n, oldest = self._deltas.popleft()
            self._count(oldest_n, oldest, -1)

    def _count(self, n: int, cells: Cells, sign: int) -> None:
        self._n += sign * n
        for cell, (dislikes, likes) in cells.items():
            self._dislikes[cell] += sign * dislikes
            self._likes[cell] += sign * likes

    def get(self) -> float:
        """Return the area; pairs within an interval count as half. 0 without likes or dislikes."""
        pairs, below = 0.0, 0
        for dislikes, likes in zip(self._dislikes, self._likes, strict=True):
            pairs += likes * (below + 0.5 * dislikes)
            below += dislikes
        total = below * sum(self._likes)
        return pairs / total if total else 0.0


class Scoring:
    """Scores of feedback; counts start with the process, gains of facets survive restarts."""

    def __init__(self, facets: Sequence[str], gains: Mapping[str, tuple[float, int]] | None = None) -> None:
        """Begin with the facets of a catalogue, in its order."""
        self._facets = facets
        self._n = self._likes = 0
        self._loss = 0.0
        self._area = LatestArea()
        self._calibration = CalibrationSums()
        self._drift = DriftDetector()
        self._drifts = 0
        self._recent_n, self._recent_loss = 0, 0.0
        """Feedback that the detector does not have yet."""
        self.gains = {name: FacetGain(*gain) for name, gain in (gains or {}).items()}

    def merge(self, new: ScoringDelta) -> None:
        """Add the sums of further feedback."""
        self._n += new.n
        self._likes += new.likes
        self._loss += new.loss
        self._area.add(new.n, new.cells)
        for place, (weight, error) in enumerate(zip(new.weights, new.errors, strict=True)):
            self._calibration.weights[place] += weight
            self._calibration.sums[place] += error
        self._detect_drift(new)
        for facet, (n, gain) in new.gains.items():
            self.gains.setdefault(self._facets[facet], FacetGain()).update(n, gain)

    def _detect_drift(self, new: ScoringDelta) -> None:
        self._recent_n += new.n
        self._recent_loss += new.loss
        if self._recent_n >= DRIFT_FEEDBACK:
            self._drifts += self._drift.update(self._recent_loss / self._recent_n)
            self._recent_n, self._recent_loss = 0, 0.0

    def uninformative(self) -> tuple[str, ...]:
        """Return the uninformative facets."""
        return tuple(sorted(name for name, gain in self.gains.items() if not gain.helps))

    def scores(self, public: Container[str]) -> Scores | None:
        """Return the scores; None without scored feedback.

        `public` holds the facets with enough contributors; other facets are left out.
        """
        if not self._n:
            return None
        gains = {name: gain for name, gain in sorted(self.gains.items()) if name in public}
        return Scores(
            n=self._n,
            log_loss=round(self._loss / self._n, 6),
            constant_log_loss=round(constant_log_loss(self._likes, self._n), 6),
            auc=round(self._area.get(), 6),
            ece=round(self._calibration.error, 6),
            drifts=self._drifts,
            facets={name: FacetScore(round(gain.gain, 6), gain.n) for name, gain in gains.items()},
        )


def constant_log_loss(likes: int, n: int) -> float:
    """Return the mean log loss of predictions (likes before + ½) / (n before + 1), which no order changes.

    Krichevsky, Trofimov, "The performance of universal encoding", IEEE Trans. Inf. Theory 27(2), 1981.

    >>> round(constant_log_loss(1, 2), 6)  # of a like with the chance 0.5, then a dislike with 0.25
    1.039721
    """
    half = lgamma(0.5)
    return (lgamma(n + 1) + 2 * half - lgamma(likes + 0.5) - lgamma(n - likes + 0.5)) / n
