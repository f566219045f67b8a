"""Sums of the scores of predictions, of the feedback of one shard since its last delta.

Each prediction is scored before its feedback is learned (Dawid, JRSS A 147, 1984). River is not imported: every process
has such sums, and only the process that adds them up needs River (state.learning.scoring).
"""

import math
from array import array
from collections.abc import Mapping

import msgspec

from state.learning.probit import log_normal_cdf

BINS = 10
"""Bins of the calibration error."""
CELLS = 256
"""Equally wide intervals of the predicted probability, for the area under the curve."""
LATEST = 5_000
"""Feedback over which the averages of a facet fade."""

_BINS, _CELLS, _LATEST = BINS, CELLS, LATEST
_LEAST_P = 1e-15


class ScoringDelta(msgspec.Struct, frozen=True, array_like=True):
    """Sums of the scores of some feedback."""

    n: int
    likes: int
    loss: float
    """Sum of log losses."""
    weights: list[float]
    errors: list[float]
    """By bin: predictions, and the sum of p − liked."""
    cells: dict[int, tuple[int, int]]
    """Interval of the probability → dislikes and likes."""
    gains: dict[int, tuple[int, float]]
    """Facet → pieces of feedback, and the sum of their gains."""


class FacetSums:
    """Reduction of the log loss by a facet.

    The reference is the same prediction with the facet's contribution replaced by its average in the shard.
    """

    def __init__(self, part: float = 0.0, all_pieces: int = 0) -> None:
        self.part = part
        """Average contribution of the facet."""
        self.all_pieces = all_pieces
        """Pieces of feedback behind it. It is plain for the first `LATEST`, and fades over `LATEST` afterwards."""
        self.n = 0
        self.gain = 0.0
        """Pieces of the delta, and the sum of their gains."""

    def update(self, part: float, z: float, per_mean: float, log_p: float) -> None:
        """Add one piece of feedback, predicted with `z` standard deviations, of which the facet contributed `part`.

        `log_p` is log Φ(z). `per_mean` converts a mean to standard deviations: positive for a like, negative for a
        dislike.
        """
        difference = part - self.part
        self.n += 1
        self.gain += log_p - log_normal_cdf(z - per_mean * difference)
        self.all_pieces += 1
        share = 1.0 / self.all_pieces if self.all_pieces < _LATEST else 1.0 / _LATEST
        self.part += share * difference


class ScoringSums:
    """Scores of new feedback."""

    def __init__(self, facets: Mapping[int, tuple[float, int]] | None = None) -> None:
        """Begin without feedback, with the average contributions of `facets()`."""
        self._facets = {facet: FacetSums(*packed) for facet, packed in (facets or {}).items()}
        self._n = self._likes = 0
        self._loss = 0.0
        self._weights = array("d", bytes(8 * BINS))
        self._errors = array("d", bytes(8 * BINS))
        self._counts = array("q", bytes(8 * 2 * CELLS))
        """By interval: dislikes, likes."""

    def add(self, liked: bool, p: float, z: float, scale: float, parts: dict[int, float]) -> None:
        """Score the prediction p of a feedback, and its facets by the newest version.

        That version predicts Φ(z), from a mean that it divides by `scale`. `parts` maps facets to their contributions
        to the mean (`Prior.by_facet`).
        """
        self._n += 1
        self._likes += liked
        place = min(int(p * _BINS), _BINS - 1)
        self._weights[place] += 1.0
        self._errors[place] += p - (1.0 if liked else 0.0)
        cell = 2 * min(int(p * _CELLS), _CELLS - 1) + liked
        self._counts[cell] += 1
        p = min(max(p, _LEAST_P), 1.0 - _LEAST_P)
        self._loss -= math.log(p if liked else 1.0 - p)
        self._add_facets(1.0 if liked else -1.0, z, scale, parts)

    def _add_facets(self, sign: float, z: float, scale: float, parts: dict[int, float]) -> None:
        z, per_mean = sign * z, sign / scale
        log_p = log_normal_cdf(z)
        for facet, part in parts.items():
            sums = self._facets.get(facet)
            if sums is None:
                sums = self._facets[facet] = FacetSums()
            sums.update(part, z, per_mean, log_p)

    def take(self) -> ScoringDelta | None:
        """Return the sums, and begin again; None without feedback."""
        if not self._n:
            return None
        found = ScoringDelta(
            self._n, self._likes, self._loss, list(self._weights), list(self._errors), self._taken_cells(),
            {facet: (sums.n, sums.gain) for facet, sums in sorted(self._facets.items()) if sums.n},
        )  # fmt: skip
        self._n = self._likes = 0
        self._loss = 0.0
        for place in range(_BINS):
            self._weights[place] = self._errors[place] = 0.0
        for sums in self._facets.values():
            sums.n, sums.gain = 0, 0.0
        return found

    def _taken_cells(self) -> dict[int, tuple[int, int]]:
        found, counts = {}, self._counts
        for cell in range(_CELLS):
            if counts[2 * cell] or counts[2 * cell + 1]:
                found[cell] = counts[2 * cell], counts[2 * cell + 1]
                counts[2 * cell] = counts[2 * cell + 1] = 0
        return found

    def facets(self) -> dict[int, tuple[float, int]]:
        """Return facet → average contribution, and the pieces of feedback behind it."""
        return {facet: (sums.part, sums.all_pieces) for facet, sums in sorted(self._facets.items())}
