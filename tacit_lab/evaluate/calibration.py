"""Expected calibration error, as a River metric."""

from river import metrics

from state.learning.calibration import CalibrationSums


class Calibration(metrics.base.BinaryMetric):
    """Expected calibration error of predicted probabilities.

    >>> metric = Calibration()
    >>> for y in (True, False, True, True):
    ...     metric.update(y, 0.55)
    >>> round(metric.get(), 2)
    0.2
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sums = CalibrationSums()

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
        self.sums.add(y_true, y_pred.get(True, 0.0) if isinstance(y_pred, dict) else float(y_pred), w)

    def revert(self, y_true: bool, y_pred: float | dict[bool, float], w: float = 1.0) -> None:
        """Remove a prediction that `update` has added."""
        self.update(y_true, y_pred, -w)

    def get(self) -> float:
        """Return the error, 0–1."""
        return self.sums.error
