"""Baselines: River's models and two simple rates, on the same examples as the deployed model.

The settings are the best ones for the examples between 10% and 30% of MovieTweetings. Every example counts in full,
in training as in the scores.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from math import log
from typing import Any, Protocol

from river import linear_model, optim, reco, stats

from state.events.observation import NONE
from state.learning.example import Example
from state.learning.river_model import RiverModel
from tacit.errors import TacitError

_ANYWHERE: frozenset[str] = frozenset()


class Predictor(Protocol):
    """Model that predicts each example, and then trains with the example."""

    name: str
    """Identifier in JSON."""
    title: str
    """Title in tables and plots."""
    needs: frozenset[str]
    """The model is included if some answer has one of these (`item`, `topic`); if empty, always."""

    def predict(self, e: Example) -> float:
        """Return the chance of a like, 0–1, without the feedback of the example."""

    def learn(self, e: Example) -> None:
        """Train with the example."""


class Rate:
    """Share of likes so far, with one like and one dislike assumed at the start."""

    name, title, needs = "constant", "constant", _ANYWHERE

    def __init__(self) -> None:
        self._rate = stats.BayesianMean(prior=0.5, prior_weight=2)

    def predict(self, e: Example) -> float:  # noqa: ARG002  the rate is the same for every answer
        """Return the rate."""
        return self._rate.get()

    def learn(self, e: Example) -> None:
        """Count the feedback."""
        self._rate.update(e.liked)


class UserMean:
    """Share of likes of a user, shrunk toward the share of all users."""

    name, title, needs = "user_mean", "mean of each user", _ANYWHERE

    _WEIGHT = 4
    """Count of feedback at the rate of all users that is assumed for each user."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._likes: dict[bytes, tuple[int, int]] = defaultdict(lambda: (0, 0))
        """Counts of likes and of all feedback, by user."""

    def predict(self, e: Example) -> float:
        """Return the mean."""
        likes, feedback = self._likes[e.user]
        return (likes + self._WEIGHT * self._rate.predict(e)) / (feedback + self._WEIGHT)

    def learn(self, e: Example) -> None:
        """Count the feedback for the user and for all users."""
        likes, feedback = self._likes[e.user]
        self._likes[e.user] = likes + e.liked, feedback + 1
        self._rate.learn(e)


class LogisticRegressionPerUser:
    """River's LogisticRegression over the served values, one per user; a new one starts from the rate of all users."""

    name, title, needs = "logistic_regression", "River LogReg, per user", _ANYWHERE

    _STEP = 0.15
    _INTERCEPT_STEP = 0.3

    def __init__(self) -> None:
        self._rate = Rate()
        self._models: dict[bytes, linear_model.LogisticRegression] = {}

    def predict(self, e: Example) -> float:
        """Return the prediction of the user's model."""
        return float(self._of(e).predict_proba_one(dict.fromkeys(e.slots, 1))[True])

    def learn(self, e: Example) -> None:
        """Train the user's model and the rate of all users."""
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
    """River's AdPredictor, one for all users: the served values, the user, and the user × each value.

    River's prior of a weight is N(0, 1): with a noise of 2.5 a single weight has little influence. `epsilon` is the
    forgetting; with River's default of 0.05 the weights of a user would never grow.
    """

    name, title, needs = "ad_predictor", "River AdPredictor", _ANYWHERE

    def __init__(self) -> None:
        self._model = linear_model.AdPredictor(beta=2.5, prior_probability=0.5, epsilon=0.001)

    def predict(self, e: Example) -> float:
        """Return the prediction for the features of the answer."""
        return float(self._model.predict_proba_one(self._features(e))[True])

    def learn(self, e: Example) -> None:
        """Train the model."""
        self._model.learn_one(self._features(e), e.liked)

    def _features(self, e: Example) -> dict[Hashable, int]:
        found: dict[Hashable, int] = dict.fromkeys(e.slots, 1)
        found |= {(e.user, slot): 1 for slot in e.slots}
        found[e.user] = 1
        return found


class FullAdPredictor(SharedAdPredictor):
    """The same with the other features of the deployed model: the item, and each value on the topic."""

    name, title, needs = "ad_predictor_full", "River AdPredictor, full", frozenset({"item", "topic"})

    def _features(self, e: Example) -> dict[Hashable, int]:
        found = super()._features(e)
        if e.item:
            found["item", e.item] = 1
        if e.topic != NONE:
            found |= {("topic", e.topic, slot): 1 for slot in e.slots}
        return found


class BiasedMF:
    """River's BiasedMF: users and items with a bias and five factors each, without the served values."""

    name, title, needs = "biased_mf", "River BiasedMF, items", frozenset({"item"})

    _STEP = 0.04
    _MIN = 0.02
    """Distance of a prediction from 0 and from 1: a regression has no such limits."""

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
        """Return the prediction for the user and the item."""
        if not self._model.global_mean.n:
            return 0.5
        return float(min(max(self._model.predict_one(e.user, e.item), self._MIN), 1 - self._MIN))

    def learn(self, e: Example) -> None:
        """Train the model."""
        self._model.learn_one(e.user, e.item, float(e.liked))


class RiverBaseline:
    """A classifier of River by import path, with the features that it has as a challenger."""

    needs = _ANYWHERE

    def __init__(self, path: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Import and build the classifier; errors are those of `RiverModel`."""
        self.name, self.title = path, path.removeprefix("river.")
        self._model = RiverModel(path, parameters)

    def predict(self, e: Example) -> float:
        """Return the prediction for the features of the answer.

        Raises:
            TacitError: the classifier failed.
        """
        try:
            return self._model.predict(e)
        except Exception as error:
            raise self._failed(error) from error

    def learn(self, e: Example) -> None:
        """Train the classifier; errors as in `predict`."""
        try:
            self._model.learn(e)
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> TacitError:
        return TacitError(f"{self.name}: {type(error).__name__}: {error}; change its parameters in [models]")


def baselines() -> list[Predictor]:
    """Return every baseline, untrained."""
    return [
        SharedAdPredictor(),
        FullAdPredictor(),
        BiasedMF(),
        LogisticRegressionPerUser(),
        UserMean(),
        Rate(),
    ]
