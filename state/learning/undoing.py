"""Undoing of the newest piece of feedback in a user model.

An update of assumed-density filtering has an inverse. Given the beliefs afterwards (m', v'), the beliefs before are the
fixed point of

    v = the smaller root of  ρ² v (1 − v x² w W/S) + (1 − ρ²) prior = v'        m = m'/ρ − v x w (±N)/√S

where N, W and S depend on all m and v before (state.learning.user_model). Each round shrinks the error at least by the
share of the terms in S, which is below 1/2. What rounding to 32 bits costs is in docs/learning.md.
"""

from collections.abc import Iterator
from math import fsum, isfinite, sqrt
from typing import Any, NamedTuple

from state.catalogue.numbered import Shape
from state.learning.feedback_piece import Form, Piece
from state.learning.preferences import KEPT, Preferences
from state.learning.probit import corrections
from state.learning.terms import BIAS_VARIANCE, SLOPE_VARIANCE, VALUE_VARIANCES

_ROUNDS = 80
_CONVERGED = 1e-13
_MOST = 1.001
"""Limit of a variance as a multiple of its prior; above 1 for rounding."""


class _Term(NamedTuple):
    means: Any
    """Numbers of the row that have the term's mean at `place`."""
    variances: Any
    place: int
    x: float
    prior: float
    is_trained: bool


def undo_last(own: Preferences) -> bool:
    """Undo the newest piece of the log in place, and return whether it was possible.

    Undone are beliefs, evidence and the count of feedback.
    A piece cannot be undone if it was trained under a catalogue with other feedback kinds, scales or weights.
    """
    pieces = own.log.pieces
    if not pieces:
        return False
    piece = pieces[-1]
    if not _undo_update(piece, list(_terms(own, piece))):
        return False
    earlier = pieces[-2] if pieces[1:] else None
    is_first = not piece.continues(earlier, own.catalogue.slot_facets)
    own.log.drop_last()
    if is_first and own.feedback_count:
        _numbers(own, "feedback_count")[0] -= 1
    return True


def _numbers(own: Preferences, field: str) -> Any:
    """Return a field of the row as an array, to read and write."""
    row = own.row
    return row.array[field][row.at : row.at + 1].reshape(-1)


def _terms(own: Preferences, piece: Piece) -> Iterator[_Term]:
    """Yield the terms of the prediction, as `Preferences` trains them."""
    facets, places, shapes = own.catalogue.slot_facets, own.catalogue.slot_places, own.catalogue.slot_shapes
    values = _numbers(own, "means"), _numbers(own, "variances")
    slopes = _numbers(own, "slopes"), _numbers(own, "slope_variances")
    if piece.is_directed:
        preferred, served = piece.compared
        yield _Term(*values, preferred, 1.0, VALUE_VARIANCES[Shape.ORDERED], True)
        yield _Term(*values, served, -1.0, VALUE_VARIANCES[Shape.ORDERED], True)
        yield _Term(*slopes, facets[served], places[preferred] - places[served], SLOPE_VARIANCE, True)
        return
    for slot in piece.slots:
        is_trained = not piece.only or facets[slot] in piece.only
        yield _Term(*values, slot, 1.0, VALUE_VARIANCES[shapes[slot]], is_trained)
        if places[slot]:
            yield _Term(*slopes, facets[slot], places[slot], SLOPE_VARIANCE, is_trained)
    yield _Term(_numbers(own, "bias"), _numbers(own, "bias_variance"), 0, 1.0, BIAS_VARIANCE, not piece.only)


def _undo_update(piece: Piece, terms: list[_Term]) -> bool:
    sign = -1.0 if piece.form is Form.DISLIKE else 1.0
    after = [(float(t.means[t.place]), float(t.variances[t.place])) for t in terms]
    before = after
    for _ in range(_ROUNDS):
        mean = piece.mean + fsum(t.x * m for t, (m, _) in zip(terms, before, strict=True))
        variance = piece.variance + fsum(t.x * t.x * v for t, (_, v) in zip(terms, before, strict=True))
        if not (isfinite(mean) and 0 < variance < float("inf")):
            return False
        gain, shrink = corrections(sign * mean / sqrt(variance))
        steps = piece.weight * sign * gain / sqrt(variance), piece.weight * shrink / variance
        last, before = before, [_before(t, belief, *steps) for t, belief in zip(terms, after, strict=True)]
        if all(abs(m - n) + abs(v - w) < _CONVERGED for (m, v), (n, w) in zip(last, before, strict=True)):
            break
    if not all(0 < v <= _MOST * t.prior and isfinite(m) for t, (m, v) in zip(terms, before, strict=True)):
        return False
    for t, (m, v) in zip(terms, before, strict=True):
        t.means[t.place], t.variances[t.place] = m, v
    return True


def _before(t: _Term, after: tuple[float, float], mean_step: float, variance_step: float) -> tuple[float, float]:
    """Return mean and variance before an update; a variance below 0 stands for none."""
    if not t.is_trained:
        return after
    mean, variance = after
    kept = (variance - (1 - KEPT * KEPT) * t.prior) / (KEPT * KEPT)
    a = t.x * t.x * variance_step
    root = 1 - 4 * a * kept
    if root < 0 or kept < 0:
        return mean, -1.0
    v = 2 * kept / (1 + sqrt(root))
    return mean / KEPT - t.x * v * mean_step, v
