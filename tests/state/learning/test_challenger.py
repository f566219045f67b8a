"""Challengers: prequential scores next to the deployed model, and no trace of a wiped user."""

from collections.abc import Sequence
from hashlib import blake2b

import pytest
from msgspec.structs import replace

from state.learning.challenger import Challenger, Challengers, ChallengerScores
from state.learning.example import Example, Forget
from state.learning.paired_loss import LossDifference, log_loss
from state.learning.river_model import RiverModel
from tests.support.examples import tastes

LOGISTIC = "river.linear_model.LogisticRegression"
DIVERGES = {"optimizer": {"class": "river.optim.SGD", "lr": float("nan")}}


def hashed(examples: Sequence[Example]) -> list[Example]:
    """Return the examples with pseudonyms that are hashes, as those of a run."""
    return [replace(e, user=blake2b(e.user, digest_size=16).digest()) for e in examples]


EXAMPLES = hashed(tastes(600, users=60))


def loss(scores: ChallengerScores) -> LossDifference:
    assert scores.loss is not None
    return scores.loss


def test_each_prediction_precedes_its_training() -> None:
    """The figures are those of a model that predicts and then trains; the deployed model predicted one half."""
    challenger, model, losses = Challenger(LOGISTIC, None, 1.0), RiverModel(LOGISTIC), []
    for example in EXAMPLES:
        losses.append(log_loss(example.liked, model.predict(example)))
        model.learn(example)
        challenger.learn(example)
    found = loss(challenger.scores())
    assert found.n == len(EXAMPLES)
    assert found.second == pytest.approx(sum(losses) / len(losses))
    assert found.first == pytest.approx(0.6931, abs=1e-4)


def test_share_selects_the_same_users_always() -> None:
    """A larger share keeps all users of a smaller one, and a user's feedback counts completely or not at all."""
    small, large = (Challenger(LOGISTIC, None, share) for share in (0.2, 0.5))
    users = {example.user for example in hashed(tastes(20_000, users=2_000))}
    of_small, of_large = ({user for user in users if each.takes(user)} for each in (small, large))
    assert of_small < of_large
    assert len(of_small) / len(users) == pytest.approx(0.2, abs=0.04)
    assert len(of_large) / len(users) == pytest.approx(0.5, abs=0.05)
    for example in EXAMPLES:
        small.learn(example)
    assert loss(small.scores()).n == sum(small.takes(example.user) for example in EXAMPLES)


def test_wipe_of_a_user_leaves_no_trace() -> None:
    """The model is that of a challenger that never had an example; the figures stay, and the start is counted."""
    wiped, fresh = Challenger(LOGISTIC, None, 1.0), Challenger(LOGISTIC, None, 1.0)
    for example in EXAMPLES[:300]:
        wiped.learn(example)
    before = loss(wiped.scores()).n
    wiped.forget(EXAMPLES[0].user)
    for example in EXAMPLES[300:]:
        wiped.learn(example)
        fresh.learn(example)
    assert wiped.scores().restarts == 1
    assert loss(wiped.scores()).n == before + loss(fresh.scores()).n
    assert wiped._model.predict(EXAMPLES[0]) == fresh._model.predict(EXAMPLES[0])


def test_wipe_of_an_unknown_user_changes_nothing() -> None:
    """A user without an example left no trace."""
    challenger = Challenger(LOGISTIC, None, 1.0)
    for example in EXAMPLES[:50]:
        challenger.learn(example)
    challenger.forget(b"\x01" * 16)
    assert challenger.scores().restarts == 0


def test_error_stops_one_challenger_and_is_reported_once() -> None:
    """The others continue; the figures until the error stay."""
    reported: list[tuple[str, str]] = []
    good, bad = Challenger(LOGISTIC, None, 1.0), Challenger(LOGISTIC, DIVERGES, 1.0)
    both = Challengers([bad, good], lambda path, error: reported.append((path, error)))
    for example in EXAMPLES:
        both.take(example)
    assert reported == [(LOGISTIC, "ArithmeticError")]
    stopped, running = both.scores()
    assert (stopped.stopped, running.stopped) == (True, False)
    assert loss(stopped).n == 1
    assert loss(running).n == len(EXAMPLES)


def test_messages_are_taken_in_order() -> None:
    """A forget between two examples of a user wipes the first only."""
    challenger = Challenger(LOGISTIC, None, 1.0)
    both = Challengers([challenger], lambda *_: None)
    for message in (EXAMPLES[0], Forget(EXAMPLES[0].user), EXAMPLES[0], Forget(EXAMPLES[0].user)):
        both.take(message)
    assert both.scores()[0].restarts == 2
