"""Expected calibration error, from sums by bin."""

from math import fsum

BINS = 10


class CalibrationSums:
    """Expected calibration error of predicted probabilities.

    The mean over predictions of |share of likes − mean p| in ten equally wide bins (Naeini, Cooper, Hauskrecht,
    "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015).

    >>> sums = CalibrationSums()
    >>> for liked in (True, False, True, True):
    ...     sums.add(liked, 0.55)
    >>> round(sums.error, 2)
    0.2
    """

    def __init__(self) -> None:
        self.weights = [0.0] * BINS
        self.sums = [0.0] * BINS
        """Sums of p − y, by bin."""

    def add(self, liked: bool, p: float, weight: float = 1.0) -> None:
        """Add one prediction; a negative weight removes it."""
        index = min(int(p * BINS), BINS - 1)
        self.weights[index] += weight
        self.sums[index] += weight * (p - liked)

    @property
    def error(self) -> float:
        """The error, 0–1; 0 without predictions."""
        total = fsum(self.weights)
        return fsum(map(abs, self.sums)) / total if total else 0.0
