"""River classifiers by import path, trained on examples: the same ones as challengers and in `tacit evaluate`.

The features of an example are hashed, so a model has at most `FEATURES` weights, however many users and items there
are (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009).
"""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from math import isfinite
from typing import Any

from state.events.observation import NONE
from state.learning.example import Example
from tacit.errors import ConfigurationError

FEATURES = 2**18
"""Count of different features; users, items and values beyond share features."""

CLASS = "class"
"""Key of a parameter that is an object: a table with the import path of its class, and its own parameters."""

_PATH = re.compile(r"river(\.[A-Za-z_][A-Za-z0-9_]*){2,}")

_VALUE, _USER, _OWN_VALUE, _ITEM, _TOPIC_VALUE, _SURFACE_VALUE = range(6)


class RiverModel:
    """A classifier of River that predicts likes of examples, and then trains with them.

    Each piece of feedback counts in full, and directed feedback is a dislike of the served answer.

    >>> RiverModel("river.linear_model.AdPredictor", {"beta": 2.5}).path
    'river.linear_model.AdPredictor'

    Raises:
        ConfigurationError: the path or a parameter is wrong, or the class predicts no probabilities.
    """

    def __init__(self, path: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._model = _build(path, path, parameters or {})
        try:
            self._model.predict_proba_one({0: 1.0})
        except Exception as error:
            raise ConfigurationError(
                [f"{path}: predicts no probabilities ({type(error).__name__}); use a class with predict_proba_one"]
            ) from error

    def predict(self, e: Example) -> float:
        """Return the chance of a like, 0–1; 0.5 from a model that knows no likes.

        Raises:
            ArithmeticError: the model returned a number that is no probability.
        """
        return self.predict_features(features_of(e))

    def predict_features(self, features: Mapping[int, float]) -> float:
        """Return the chance for the features of an answer; errors as in `predict`."""
        chances: Mapping[bool, float] = self._model.predict_proba_one(features)
        p = float(chances.get(True, 0.0 if chances else 0.5))
        if not (isfinite(p) and 0.0 <= p <= 1.0):
            raise ArithmeticError(f"{self.path} predicted a number that is no probability")
        return p

    def learn(self, e: Example) -> None:
        """Train with the example."""
        self._model.learn_one(features_of(e), e.liked)


def features_of(e: Example) -> dict[int, float]:
    """Return the hashed features: values, user, user × value, item, topic × value and surface × value.

    The hash of a tuple of whole numbers is the same in every process.
    """
    return {hash(feature) % FEATURES: 1.0 for feature in _features(e)}


def _features(e: Example) -> Iterator[tuple[int, ...]]:
    user = int.from_bytes(e.user[-8:], "big")
    yield _USER, user
    for slot in e.slots:
        yield _VALUE, slot
        yield _OWN_VALUE, user, slot
        if e.topic != NONE:
            yield _TOPIC_VALUE, e.topic, slot
        if e.surface != NONE:
            yield _SURFACE_VALUE, e.surface, slot
    if e.item:
        yield _ITEM, e.item


def path_problem(path: str) -> str | None:
    """Return the problem of an import path, or None; nothing is imported.

    >>> path_problem("river.linear_model.LogisticRegression")
    >>> path_problem("os.system")
    'os.system is no import path below river; use one such as river.linear_model.LogisticRegression'
    """
    if _PATH.fullmatch(path):
        return None
    return f"{path} is no import path below river; use one such as river.linear_model.LogisticRegression"


def _build(path: str, place: str, parameters: Mapping[str, Any], *, classifier: bool = True) -> Any:
    """Return an object of a class of River; `place` is the place of the parameters in the settings."""
    found = _class_of(path, classifier=classifier)
    try:
        built = {name: _value(value, f"{place}.{name}") for name, value in parameters.items()}
        return found(**built)
    except (TypeError, ValueError) as error:
        raise ConfigurationError([f"{place}: {error}; correct the parameters in [models]"]) from error


def _value(value: Any, place: str) -> Any:
    """Return the value of a parameter: a table with a class becomes an object."""
    if not isinstance(value, dict) or CLASS not in value:
        return value
    others = {name: each for name, each in value.items() if name != CLASS}
    return _build(str(value[CLASS]), place, others, classifier=False)


def _class_of(path: str, *, classifier: bool) -> Any:
    if problem := path_problem(path):
        raise ConfigurationError([problem])
    from river import base  # a second and 80 MB

    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError([f"{path}: River has no such class; correct the path"]) from error
    wanted = base.Classifier if classifier else base.Base
    if not (isinstance(found, type) and issubclass(found, wanted) and found.__module__.startswith("river.")):
        raise ConfigurationError([f"{path}: is no {'classifier' if classifier else 'class'} of River; use another"])
    return found
