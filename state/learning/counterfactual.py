"""Retraining of a user model without some of its feedback: "without these likes, the value would be …".

The log of feedback (state.learning.feedback_log) holds the last pieces. If no earlier feedback exists, a new user model
is trained with the remaining pieces. The result is the model that never had the removed pieces, given the population's
parts of the predictions as they were, rounded to half floats; weights are rounded to hundredths.

Otherwise the pieces in the log are undone first (state.learning.undoing), and the remaining ones are trained again. The
effect of earlier feedback stays. In this case a flagged change of taste happens again with its piece, and no other
does: the detector's sums from before the log are unknown.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from state.learning.drift import Drift
from state.learning.feedback_log import Piece
from state.learning.own_beliefs import OwnBeliefs
from state.learning.prediction import PopulationPart, StackingFactors, UserPart
from state.learning.preferences import Preferences
from state.learning.undoing import undo_last


class Retrained(NamedTuple):
    """A user model without some of its feedback."""

    own: Preferences
    removed: Sequence[Piece]
    is_complete: bool
    """The model has no feedback from before the log."""


class RecordedDrift(Drift):
    """Detectors that flag as the log records."""

    __slots__ = ("flags",)

    def __init__(self, drift: Drift) -> None:
        super().__init__(0)
        self.sums, self.at_s, self.fresh = drift.sums, drift.at_s, drift.fresh
        self.flags: Sequence[int] = ()

    def watch(
        self,
        own: UserPart,  # noqa: ARG002  # the interface of Drift
        expected: PopulationPart,  # noqa: ARG002
        per_mean: float,  # noqa: ARG002
        z: float,  # noqa: ARG002
        likelihood: float,  # noqa: ARG002
        at_ms: int,
        only: Collection[int] = (),  # noqa: ARG002
    ) -> Sequence[int]:
        """Return the recorded flags."""
        for facet in self.flags:
            self.sums[facet], self.at_s[facet], self.fresh[facet] = 0.0, at_ms // 1000, 0
        return self.flags


def without(own: Preferences, factors: StackingFactors, removes: Callable[[Piece], bool]) -> Retrained:
    """Return a user model that is trained without the pieces that `removes` names; `own` stays unchanged."""
    pieces: Sequence[Piece] = own.log.pieces
    if own.log.is_complete and _flags(_retrained(Preferences(own.catalogue), pieces, factors)) == _flags(own):
        base, is_recorded = Preferences(own.catalogue), False
    else:
        base, pieces = undo_all(own)
        is_recorded = True
    removed, kept = [p for p in pieces if removes(p)], [p for p in pieces if not removes(p)]
    trained = retrain_as_recorded(base, kept, factors) if is_recorded else _retrained(base, kept, factors)
    trained.population = own.population
    return Retrained(trained, removed, own.log.is_complete)


def undo_all(own: Preferences) -> tuple[Preferences, Sequence[Piece]]:
    """Return the user model before the pieces of its log, and the pieces; fewer, where one cannot be undone."""
    twin, pieces = own.copy(), own.log.pieces
    while undo_last(twin):
        pass
    return twin, pieces[len(twin.log.pieces) :]


def _flags(own: OwnBeliefs) -> list[Sequence[int]]:
    return [piece.flagged for piece in own.log.pieces]


def _retrained(own: Preferences, pieces: Iterable[Piece], factors: StackingFactors) -> Preferences:
    for piece in pieces:
        own.retrain(piece, factors)
    return own


def retrain_as_recorded(own: Preferences, pieces: Iterable[Piece], factors: StackingFactors) -> Preferences:
    """Train a user model in place with pieces of a log, with the flags that they record; return the model."""
    drift = own.drift = RecordedDrift(own.drift)
    for piece in pieces:
        drift.flags = piece.flagged
        own.retrain(piece, factors)
    return own
