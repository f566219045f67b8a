"""The preferences of a user as a River classifier, over a user model in a table of one row."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

from river import base

from state.catalogue.numbered import NumberedCatalogue
from state.learning.prediction import NOISE_VARIANCE
from state.learning.probit import normal_cdf
from state.learning.user_model import KEPT, MAX_FEEDBACK_COUNT, MODEL_VERSION, Learned, UserModel
from state.row.layout import layout_of, sizes_of
from state.row.row import Row

__all__ = ["KEPT", "MAX_FEEDBACK_COUNT", "MODEL_VERSION", "Learned", "Preferences"]

_EXAMPLE = """
schema = 1
[facets.length]
title = "Answer length"
values = ["concise", "balanced", "detailed"]
ordered = true
"""
"""A catalogue with one facet, for River's checks of estimators and for doctests."""


class Preferences(UserModel, base.Classifier):
    """The preferences of a user: a River classifier over a catalogue's slots.

    The hot path trains with slots (`learn_feedback`). `learn_one` and `predict_proba_one` take the served style as a
    dict of facet → value or values, so River's metrics, `evaluate` and pipelines work on the class; without a
    population. Names outside the catalogue are ignored.

    >>> catalogue = NumberedCatalogue.parse('''
    ... schema = 1
    ... [facets.length]
    ... title = "Answer length"
    ... values = ["concise", "balanced", "detailed"]
    ... ordered = true
    ... ''')
    >>> model = Preferences(catalogue)
    >>> for _ in range(20):
    ...     model.learn_one({"length": "concise"}, True)
    ...     model.learn_one({"length": "detailed"}, False)
    >>> round(model.predict_proba_one({"length": "concise"})[True], 2)
    0.9
    >>> round(model.predict_proba_one({"length": "detailed"})[True], 2)
    0.1
    """

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        super().__init__(Row(layout_of(sizes_of(catalogue))), catalogue)
        self.begin()

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"catalogue": NumberedCatalogue.parse(_EXAMPLE)}

    @classmethod
    def of(cls, row: bytes, catalogue: NumberedCatalogue) -> "Preferences":
        """Return the preferences in the bytes of a user's row."""
        found = cls(catalogue)
        found.row.write(row)
        return found

    def copy(self) -> "Preferences":
        """Return an independent copy."""
        return self.of(self.row.read(), self.catalogue)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.of, (self.row.read(), self.catalogue)

    def __deepcopy__(self, _: dict[int, Any]) -> "Preferences":
        return self.copy()

    def learn_one(self, x: dict[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Train the lasting beliefs with an answer, by River's interface."""
        self.learn(self._slots(x), bool(y), w)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[base.typing.ClfTarget, float]:
        """Return the probability of a like and of a dislike of an answer."""
        own = self.own(self._slots(x))
        p = normal_cdf(own.mean / sqrt(NOISE_VARIANCE + own.variance))
        return {True: p, False: 1.0 - p}

    def _slots(self, x: dict[Any, Any]) -> list[int]:
        index = self.catalogue.slot_index
        return sorted(
            index[facet][value]
            for facet, served in x.items()
            if facet in index
            for value in ([served] if isinstance(served, str) else served)
            if value in index[facet]
        )
