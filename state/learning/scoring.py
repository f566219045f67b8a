"""Scores of predictions by River's metrics, each computed before the feedback is learned.

Prequential evaluation (Dawid, JRSS A 147, 1984; Gama, Sebastião, Rodrigues, Machine Learning 90, 2013).
"""

import math
from collections.abc import Container, Mapping

from river import drift, metrics

from state.catalogue.numbered import NumberedCatalogue
from state.learning.calibration import Calibration
from state.learning.example import Example
from state.learning.population_version import FacetScore, Scores
from state.learning.probit import log_normal_cdf

LATEST = 5_000
"""Window of the area under the ROC curve, and of a facet's fading gain, in pieces of feedback."""
MIN_FEEDBACK = 1_000
"""Feedback on a facet before the facet can be uninformative."""

_LATEST = LATEST
_LEAST = 1e-12
_LEAST_P = 1e-15


class FacetGain:
    """Recent reduction of the log loss by a facet.

    The reference is the same prediction with the facet's contribution replaced by its average.
    """

    def __init__(self, gain: float = 0.0, part: float = 0.0, n: int = 0) -> None:
        self.gain = gain
        """Nats per piece of feedback; above 0 the facet helps."""
        self.part = part
        """Average contribution of the facet."""
        self.n = n
        """Pieces of feedback. Averages are plain for the first `LATEST`, and fade over `LATEST` afterwards."""

    def update(self, part: float, z: float, per_mean: float, log_p: float) -> None:
        """Add one piece of feedback, predicted with `z` standard deviations, of which the facet contributed `part`.

        `log_p` is log Φ(z). `per_mean` converts a mean to standard deviations: positive for a like, negative for a
        dislike.
        """
        difference = part - self.part
        self.n += 1
        share = 1.0 / self.n if self.n < _LATEST else 1.0 / _LATEST
        self.gain += share * (log_p - log_normal_cdf(z - per_mean * difference) - self.gain)
        self.part += share * difference

    @property
    def helps(self) -> bool:
        """True until enough feedback shows no gain."""
        return self.n < MIN_FEEDBACK or self.gain > 0.0


class LogLoss:
    """Mean log loss, as River's metric of this name, without its calls."""

    def __init__(self) -> None:
        self._n = self._mean = 0.0

    def update(self, liked: bool, p: float) -> None:
        """Add a predicted probability of a like."""
        p = min(max(p, _LEAST_P), 1.0 - _LEAST_P)
        self._n += 1.0
        self._mean += (1.0 / self._n) * ((-math.log(p) if liked else -math.log(1.0 - p)) - self._mean)

    def get(self) -> float:
        """Return the mean."""
        return self._mean


class Scoring:
    """Scores of examples; counts start with the process, gains of facets survive restarts."""

    def __init__(
        self, catalogue: NumberedCatalogue, gains: Mapping[str, tuple[float, float, int]] | None = None
    ) -> None:
        self._catalogue = catalogue
        self._log_loss = LogLoss()
        self._constant = LogLoss()
        self._auc = metrics.RollingROCAUC(window_size=LATEST)
        self._ece = Calibration()
        self._likes = 0
        self._adwin = drift.ADWIN()
        self._drifts = 0
        self._n = 0
        self.gains = {name: FacetGain(*gain) for name, gain in (gains or {}).items()}

    def add(self, e: Example, z: float, scale: float, parts: Mapping[int, float]) -> None:
        """Score the prediction of an example, and its facets by the newest version.

        That version predicts Φ(z), from a mean that it divides by `scale`. `parts` maps facets to their contributions
        to the mean (`Prior.by_facet`).
        """
        p, liked = e.p, e.liked
        self._constant.update(liked, (self._likes + 0.5) / (self._n + 1.0))  # by Krichevsky, Trofimov 1981
        self._likes += liked
        self._log_loss.update(liked, p)
        self._auc.update(liked, p)
        self._ece.update(liked, p)
        self._adwin.update(-math.log(max(p if liked else 1.0 - p, _LEAST)))
        self._drifts += self._adwin.drift_detected  # ADWIN's own count stays at 0
        self._n += 1
        self._add_facets(e, z, scale, parts)

    def _add_facets(self, e: Example, z: float, scale: float, parts: Mapping[int, float]) -> None:
        sign = 1.0 if e.liked else -1.0
        z, per_mean, names, gains = sign * z, sign / scale, self._catalogue.facet_names, self.gains
        log_p = log_normal_cdf(z)
        for facet, part in parts.items():
            gain = gains.get(names[facet])
            if gain is None:
                gain = gains[names[facet]] = FacetGain()
            gain.update(part, z, per_mean, log_p)

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
            log_loss=round(self._log_loss.get(), 6),
            constant_log_loss=round(self._constant.get(), 6),
            auc=round(self._auc.get(), 6),
            ece=round(self._ece.get(), 6),
            drifts=self._drifts,
            facets={name: FacetScore(round(gain.gain, 6), gain.n) for name, gain in gains.items()},
        )
