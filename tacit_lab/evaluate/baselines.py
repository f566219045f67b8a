"""What the deployed model has to beat: River's own models and two that are hardly any, on the same pieces of feedback.

Their settings are those that did best on the pieces of feedback between 10% and 30% of MovieTweetings; all
learn from pieces of feedback in full, as they are scored on all alike.
"""

from collections import defaultdict
from collections.abc import Hashable
from math import log
from typing import Protocol

from river import linear_model, optim, reco, stats

from state.events.observation import NONE
from state.learning.example import Example

_ANYWHERE: frozenset[str] = frozenset()


class Predictor(Protocol):
    """Predicts pieces of feedback, and learns from each after it was asked for it."""

    name: str
    """For machines."""
    title: str
    """For users."""
    needs: frozenset[str]
    """It is worth hearing where answers have one of these (`item`, `topic`); if none is named, anywhere."""

    def predict(self, e: Example) -> float:
        """Return the chance of a like, 0–1; nothing of the piece of feedback itself may be looked at."""

    def learn(self, e: Example) -> None:
        """Learn from the piece of feedback."""


class Rate:
    """The share of likes so far, with one like and one dislike assumed before the first."""

    name, title, needs = "constant", "constant", _ANYWHERE

    def __init__(self) -> None:
        self._rate = stats.BayesianMean(prior=0.5, prior_weight=2)

    def predict(self, e: Example) -> float:  # noqa: ARG002  it is the same for every answer
        """Return the rate."""
        return self._rate.get()

    def learn(self, e: Example) -> None:
        """Count the piece of feedback."""
        self._rate.update(e.liked)


class UserMean:
    """A user's share of likes, shrunk to all users'."""

    name, title, needs = "user_mean", "mean of each user", _ANYWHERE

    _WEIGHT = 4
    """As many pieces of feedback at all users' rate are assumed of each user."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._likes: dict[bytes, tuple[int, int]] = defaultdict(lambda: (0, 0))
        """Likes and pieces of feedback, by user."""

    def predict(self, e: Example) -> float:
        """Return the mean."""
        likes, feedback = self._likes[e.user]
        return (likes + self._WEIGHT * self._rate.predict(e)) / (feedback + self._WEIGHT)

    def learn(self, e: Example) -> None:
        """Count the piece of feedback for the user, and for all users."""
        likes, feedback = self._likes[e.user]
        self._likes[e.user] = likes + e.liked, feedback + 1
        self._rate.learn(e)


class LogisticRegressionPerUser:
    """River's LogisticRegression, one per user, over the served values; a new one starts from all users' rate."""

    name, title, needs = "logistic_regression", "River LogReg, per user", _ANYWHERE

    _STEP = 0.15
    _INTERCEPT_STEP = 0.3

    def __init__(self) -> None:
        self._rate = Rate()
        self._models: dict[bytes, linear_model.LogisticRegression] = {}

    def predict(self, e: Example) -> float:
        """Return what the user's own model states."""
        return float(self._of(e).predict_proba_one(dict.fromkeys(e.slots, 1))[True])

    def learn(self, e: Example) -> None:
        """Teach the user's own model."""
        self._of(e).learn_one(dict.fromkeys(e.slots, 1), e.liked)
        self._rate.learn(e)

    def _of(self, e: Example) -> linear_model.LogisticRegression:
        found = self._models.get(e.user)
        if found is None:
            rate = self._rate.predict(e)
            found = self._models[e.user] = linear_model.LogisticRegression(
                optim.SGD(self._STEP), intercept_init=log(rate / (1 - rate)), intercept_lr=self._INTERCEPT_STEP
            )
        return found


class SharedAdPredictor:
    """River's AdPredictor, one for all: the served values, the user, and the user × each value.

    River's prior of a weight is N(0, 1), so a noise of 2.5 makes a single weight worth little, as it should be. Of
    `epsilon`, its forgetting, River's own default of .05 would leave a user's weights nothing to add up.
    """

    name, title, needs = "ad_predictor", "River AdPredictor", _ANYWHERE

    def __init__(self) -> None:
        self._model = linear_model.AdPredictor(beta=2.5, prior_probability=0.5, epsilon=0.001)

    def predict(self, e: Example) -> float:
        """Return what the model states of the answer's features."""
        return float(self._model.predict_proba_one(self._features(e))[True])

    def learn(self, e: Example) -> None:
        """Teach the model."""
        self._model.learn_one(self._features(e), e.liked)

    def _features(self, e: Example) -> dict[Hashable, int]:
        found: dict[Hashable, int] = dict.fromkeys(e.slots, 1)
        found |= {(e.user, slot): 1 for slot in e.slots}
        found[e.user] = 1
        return found


class FullAdPredictor(SharedAdPredictor):
    """The same with all that the deployed model goes by: the item, and each value on the topic."""

    name, title, needs = "ad_predictor_full", "River AdPredictor, full", frozenset({"item", "topic"})

    def _features(self, e: Example) -> dict[Hashable, int]:
        found = super()._features(e)
        if e.item:
            found["item", e.item] = 1
        if e.topic != NONE:
            found |= {("topic", e.topic, slot): 1 for slot in e.slots}
        return found


class BiasedMF:
    """River's BiasedMF: users and items with a bias and five factors each; knows nothing of served values."""

    name, title, needs = "biased_mf", "River BiasedMF, items", frozenset({"item"})

    _STEP = 0.04
    _MIN = 0.02
    """It is a regression: what it states is no chance until it is kept from 0 and 1 by this much."""

    def __init__(self) -> None:
        self._model = reco.BiasedMF(
            n_factors=5,
            bias_optimizer=optim.SGD(self._STEP),
            latent_optimizer=optim.SGD(self._STEP),
            l2_bias=0.02,
            l2_latent=0.02,
            seed=1,
        )

    def predict(self, e: Example) -> float:
        """Return what the model states of the user and the item."""
        if not self._model.global_mean.n:
            return 0.5
        return float(min(max(self._model.predict_one(e.user, e.item), self._MIN), 1 - self._MIN))

    def learn(self, e: Example) -> None:
        """Teach the model."""
        self._model.learn_one(e.user, e.item, float(e.liked))


def baselines() -> list[Predictor]:
    """Return all of them, new."""
    return [
        SharedAdPredictor(),
        FullAdPredictor(),
        BiasedMF(),
        LogisticRegressionPerUser(),
        UserMean(),
        Rate(),
    ]
