"""Retraining of a user model without some of its feedback: "without these likes, the value would be …".

The log of feedback (state.learning.feedback_log) holds the last pieces. If no earlier feedback exists, a new user model
is trained with the remaining pieces. The result is the model that never had the removed pieces, given the population's
parts of the predictions as they were, rounded to half floats; weights are rounded to hundredths.

Otherwise the pieces in the log are undone first (state.learning.undoing), and the remaining ones are trained again. The
effect of earlier feedback stays.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from state.learning.feedback_piece import Piece
from state.learning.preferences import Preferences
from state.learning.undoing import undo_last


class Retrained(NamedTuple):
    """A user model without some of its feedback."""

    own: Preferences
    removed: Sequence[Piece]
    is_complete: bool
    """The model has no feedback from before the log."""


def without(own: Preferences, removes: Callable[[Piece], bool]) -> Retrained:
    """Return a user model that is trained without the pieces that `removes` names; `own` stays unchanged."""
    is_complete, pieces = own.log.is_complete, own.log.pieces
    base, undone = (Preferences(own.catalogue), pieces) if is_complete else undo_all(own)
    removed = [piece for piece in undone if removes(piece)]
    trained = retrained(base, [piece for piece in undone if not removes(piece)])
    trained.row.array["population"][trained.row.at] = own.population
    return Retrained(trained, removed, is_complete)


def undo_all(own: Preferences) -> tuple[Preferences, Sequence[Piece]]:
    """Return the user model before the pieces of its log, and the pieces; fewer, where one cannot be undone."""
    twin, pieces = own.copy(), own.log.pieces
    while undo_last(twin):
        pass
    return twin, pieces[len(twin.log.pieces) :]


def retrained(own: Preferences, pieces: Iterable[Piece]) -> Preferences:
    """Train a user model in place with pieces of a log, and return the model."""
    for piece in pieces:
        own.retrain(piece)
    return own
