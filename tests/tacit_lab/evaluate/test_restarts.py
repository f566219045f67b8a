"""Restarts: a user that the deployed model starts again is another user for all models."""

from msgspec.structs import replace

from tacit_lab.evaluate.baselines import UserMean
from tacit_lab.evaluate.evaluation import compare
from tacit_lab.evaluate.restarts import Restarts
from tests.support.examples import make_example


def test_user_keeps_the_pseudonym_until_a_restart() -> None:
    """The count of earlier feedback never falls otherwise, and it stays at its limit."""
    restarts = Restarts()
    user = make_example(1).user
    counts = [0, 1, 2, 254, 255, 255]
    assert [restarts.seen(make_example(1, feedback_count=count)).user for count in counts] == [user] * len(counts)
    assert (restarts.n, restarts.users) == (0, 1)


def test_each_restart_makes_another_pseudonym() -> None:
    """Also a restart after a single piece of feedback; other users keep theirs."""
    restarts = Restarts()
    counts = [0, 0, 1, 2, 0, 1]
    seen = [restarts.seen(make_example(1, feedback_count=count)).user for count in counts]
    other = restarts.seen(make_example(2)).user
    assert seen[1] == seen[2] == seen[3]
    assert seen[4] == seen[5]
    assert len({*seen, other}) == 4
    assert (restarts.n, restarts.users) == (2, 2)


def test_other_members_stay() -> None:
    """Only the user changes."""
    restarts = Restarts()
    restarts.seen(make_example(1))
    example = make_example(1, liked=False, item=3)
    seen = restarts.seen(example)
    assert replace(seen, user=example.user) == example


def test_baselines_start_again_with_the_deployed_model() -> None:
    """The mean of a returned user is that of a new one; the figures count one user."""
    likes = [make_example(1, liked=True, feedback_count=count) for count in range(20)]
    returned, new = make_example(1, liked=False), make_example(2, liked=False)
    found = [compare([[*likes, last]], [UserMean()]) for last in (returned, new)]
    assert found[0].models[1].p[-1] == found[1].models[1].p[-1]
    assert [evaluation.restarts for evaluation in found] == [1, 0]
    assert [evaluation.users for evaluation in found] == [1, 2]
