"""Value of the choices of two models, estimated from the choices that the stream has logged with propensities.

For each answer, a model would have served one value per facet. Where the logged answer has this value, it counts with a
weight of 1 / propensity (state.learning.candidate). Both models are estimated on the same answers.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import Arms, Difference, arm, bucket_of, difference
from state.learning.candidate import ALL, Candidate
from state.learning.example import Example
from state.learning.logged_choices import LoggedChoice, choices
from tacit.contract.holdout import is_held_out


class LoggedAnswer(NamedTuple):
    """An answer with logged choices, and the values that a model would have served."""

    bucket: int
    """Bucket of the user."""
    liked: bool
    choices: Mapping[int, LoggedChoice]
    """By facet."""
    own: Mapping[int, int | None]
    """Facet → slot of the model; None: it would have served no value."""


def logged_choices(e: Example, catalogue: NumberedCatalogue) -> Mapping[int, LoggedChoice]:
    """Return the choices of an answer by facet; empty for an answer that proves nothing about choices.

    Only the first feedback after half an hour counts: a choice is drawn per conversation.
    """
    logged = e.logged
    if logged is None or not logged.opens or logged.proposed or is_held_out(e.user, catalogue.holdout.share):
        return {}
    return choices(logged.acted, catalogue.slot_facets)


def of_signals(e: Example, catalogue: NumberedCatalogue, defaults: Sequence[int | None]) -> LoggedAnswer | None:
    """Return an answer with the deployed model's values: its signals before the feedback, else the defaults."""
    found = logged_choices(e, catalogue)
    if not found or e.logged is None:
        return None
    signals = array("h", e.logged.signals)
    known = {facet: signals[facet] for facet in found if facet < len(signals) and signals[facet] >= 0}
    return LoggedAnswer(
        bucket_of(e.user), e.liked, found, {facet: known.get(facet, defaults[facet]) for facet in found}
    )


def of_predictions(
    e: Example, catalogue: NumberedCatalogue, predict: Callable[[Example], float]
) -> LoggedAnswer | None:
    """Return an answer with the values of the highest prediction, each facet with the others as they were served."""
    found = logged_choices(e, catalogue)
    if not found:
        return None
    own: dict[int, int | None] = {}
    for facet in found:
        others = [slot for slot in e.slots if catalogue.slot_facets[slot] != facet]
        own[facet] = max(
            catalogue.facet_slots[facet], key=lambda slot: predict(replace(e, slots=sorted([*others, slot])))
        )
    return LoggedAnswer(bucket_of(e.user), e.liked, found, own)


class ChoiceValue:
    """Rates of likes of two models' choices, over the answers that are added."""

    def __init__(self, first: NumberedCatalogue, second: NumberedCatalogue) -> None:
        self._arms = Arms(), Arms()
        self._first, self._second = Candidate(first, self._arms[0]), Candidate(second, self._arms[1])

    def add(self, first: LoggedAnswer | None, second: LoggedAnswer | None) -> None:
        """Add an answer of which both models have choices; others are left out."""
        if first is not None and second is not None:
            self._first.add(*first)
            self._second.add(*second)

    def differences(self) -> dict[str, Difference]:
        """Return by facet, and for `ALL`: the rate of likes of the second model's choices, less the first's."""
        facets = [name for name in (ALL, *self._first.facets()) if name == ALL or name in self._second.facets()]
        return {name: self._difference(name) for name in facets}

    def _difference(self, facet: str) -> Difference:
        first, second = (arm(arms, "candidate", facet, "own") for arms in self._arms)
        return difference(second, first)
