"""state/learning/proof_report: the figures of challengers."""

import pytest

from state.learning.challenger import ChallengerScores
from state.learning.paired_loss import PairedLoss
from state.learning.proof_report import challenged


@pytest.mark.parametrize(("users", "has_figures"), [(1, False), (19, False), (20, True)])
def test_challenger_has_figures_with_answers_of_enough_users(users: int, has_figures: bool) -> None:
    """With one user, the log loss would show what the user liked."""
    losses = PairedLoss()
    for n in range(200):
        losses.add(bytes([n % users]), n % 3 > 0, 0.5, 0.6)
    (found,) = challenged([ChallengerScores("river.linear_model.Perceptron", losses.result(), 0, stopped=False)])
    assert found.n == 200
    assert (found.log_loss is not None) is has_figures
    assert (found.interval is not None) is has_figures


def test_challenger_without_feedback_has_no_entry() -> None:
    """There is nothing to compare."""
    assert challenged([ChallengerScores("river.linear_model.Perceptron", None, 0, stopped=False)]) == ()
