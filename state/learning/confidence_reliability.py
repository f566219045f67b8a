"""Reliability of confidences: the observed advantage of a value over its runner-up, against the predicted one.

Answers that were served with the value, or with the runner-up, are weighted by 1 / propensity. Each arm has the rate of
likes less the mean prediction, so the error is the observed advantage less the predicted one, in rates of likes.
The propensity of a value implies the confidence at the time of the choice (`explore_share`).
"""

from array import array
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import Arm, Arms, Difference, arm, difference
from state.learning.logged_choices import LoggedChoice
from tacit.contract.policy import EXPLORE_PER_DOUBT, MIN_PROPENSITY, RUNNER_UP_SHARE

BINS = ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.0))
"""Bins of the confidence. Above 0.95 nothing is tried, so the last bin fills by readers with another policy only."""

_KIND = "confidence"


def confidence_of(choice: LoggedChoice, values: int, near: float) -> float:
    """Return the confidence that the propensity of a value or of its runner-up implies.

    Args:
        choice: the choice; the served value is the preferred one or the runner-up.
        values: count of values of the facet.
        near: the user's present confidence, which decides where a propensity is ambiguous.
    """
    explored = 1.0 - choice.propensity if choice.is_preferred else _explored(choice.propensity, values, near)
    return 1.0 - explored / EXPLORE_PER_DOUBT


def _explored(propensity: float, values: int, near: float) -> float:
    """Return the share of exploration of a choice in which the runner-up had the propensity."""
    others, whole, part = values - 2, propensity, propensity / RUNNER_UP_SHARE
    if not others or (1.0 - RUNNER_UP_SHARE) * part / others < MIN_PROPENSITY:
        return whole
    if (1.0 - RUNNER_UP_SHARE) * whole / others >= MIN_PROPENSITY:
        return part
    expected = EXPLORE_PER_DOUBT * (1.0 - near)
    return whole if abs(whole - expected) < abs(part - expected) else part


class BinReliability(NamedTuple):
    """Reliability of the confidences in one bin."""

    observed: float
    """Rate of likes of values, less that of runners-up."""
    error: Difference
    """Observed advantage less the predicted one, in `difference`."""


class ConfidenceReliability:
    """The reliability by bin, over all facets."""

    def __init__(self, catalogue: NumberedCatalogue, arms: Arms) -> None:
        self._catalogue = catalogue
        self._arms = arms

    def arms_of(self, facet: int, choice: LoggedChoice, near: float) -> tuple[Arm, Arm] | None:
        """Return the arms of the likes and of the predictions of answers with the choice; None for no comparison.

        `near` is the user's present confidence, which decides where a propensity is ambiguous.
        """
        if choice.runner_up < 0 or choice.propensity >= 1.0:
            return None
        if not (choice.is_preferred or choice.slot == choice.runner_up):
            return None
        side = "value" if choice.is_preferred else "runner_up"
        bin_ = _bin(confidence_of(choice, len(self._catalogue.facet_slots[facet]), near))
        return self._arm(bin_, side), self._arm(bin_, side, "predicted")

    def bins(self) -> dict[str, BinReliability]:
        """Return bin → reliability, for bins with answers of both arms."""
        found = {}
        for low, _ in BINS:
            bin_ = str(low)
            error = difference(self._surprise(bin_, "value"), self._surprise(bin_, "runner_up"), centre=0.0)
            if error.effective:
                observed = self._arm(bin_, "value").mean - self._arm(bin_, "runner_up").mean
                found[bin_] = BinReliability(observed, error)
        return found

    def _surprise(self, bin_: str, side: str) -> Arm:
        """Return an arm of likes less predictions."""
        likes, predictions = self._arm(bin_, side), self._arm(bin_, side, "predicted")
        surprises = array("d", [a - b for a, b in zip(likes.liked, predictions.liked, strict=True)])
        return Arm(likes.n, likes.squares, likes.weights.tobytes(), surprises.tobytes())

    def _arm(self, *names: str) -> Arm:
        return arm(self._arms, _KIND, *names)


def _bin(confidence: float) -> str:
    return str(max([low for low, _ in BINS if low <= confidence + 1e-4], default=BINS[0][0]))
