"""Expected calibration error, as a River metric."""

from math import fsum

from river import metrics

BINS = 10


class Calibration(metrics.base.BinaryMetric):
    """Expected calibration error of predicted probabilities.

    The mean over predictions of |share of likes − mean p| in ten equally wide bins (Naeini, Cooper, Hauskrecht,
    "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015).

    >>> metric = Calibration()
    >>> for y in (True, False, True, True):
    ...     metric.update(y, 0.55)
    >>> round(metric.get(), 2)
    0.2
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weights = [0.0] * BINS
        self.sums = [0.0] * BINS
        """Sums of p − y, by bin."""

    @property
    def bigger_is_better(self) -> bool:
        """False: a smaller error is better."""
        return False

    @property
    def requires_labels(self) -> bool:
        """False: the metric takes probabilities."""
        return False

    def update(self, y_true: bool, y_pred: float | dict[bool, float], w: float = 1.0) -> None:
        """Add one prediction: the probability of True, or of both classes."""
        p = y_pred.get(True, 0.0) if isinstance(y_pred, dict) else float(y_pred)
        index = min(int(p * BINS), BINS - 1)
        self.weights[index] += w
        self.sums[index] += w * (p - y_true)

    def revert(self, y_true: bool, y_pred: float | dict[bool, float], w: float = 1.0) -> None:
        """Remove a prediction that `update` has added."""
        self.update(y_true, y_pred, -w)

    def get(self) -> float:
        """Return the error, 0–1."""
        total = fsum(self.weights)
        return fsum(map(abs, self.sums)) / total if total else 0.0
