"""Changes of the mean of numbers."""

# The algorithm of `river.drift.ADWIN`: the package imports SciPy, half a second and 50 MB of each worker that trains.
from river._river_rust.drift import AdaptiveWindowing


class DriftDetector:
    """ADWIN of River (Bifet, Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007).

    >>> detector = DriftDetector()
    >>> [n for n in range(200) if detector.update(0.0 if n < 100 else 1.0)]
    [127]
    """

    def __init__(self) -> None:
        self._window = AdaptiveWindowing()

    def update(self, number: float) -> bool:
        """Add a number; return whether the mean has changed. The detector begins again after a change."""
        has_changed = bool(self._window.update(number))
        if has_changed:
            self._window = AdaptiveWindowing()
        return has_changed
