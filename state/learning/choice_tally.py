"""Tally of logged choices: each answer goes into the arms of its choices.

A deployment has few different choices (values, and propensities of confidences with three decimals), so the arms of
each are looked up once.
"""

from array import array
from collections.abc import Collection, Sequence
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import Arm
from state.learning.confidence_reliability import ConfidenceReliability
from state.learning.logged_choices import LoggedChoice, is_sampled
from state.learning.off_policy import OffPolicy

MAX_ENTRIES = 2_048
"""Limit of remembered choices of a shard: some 0.5 MB."""

Entry = tuple[int, float, int]
"""Slot, propensity and runner-up, as in an event."""


class _Arms(NamedTuple):
    facet: int
    weight: float
    off_policy: Arm | None
    likes: Arm | None
    predictions: "array[float] | None"


class ChoiceTally:
    """Answers of the off-policy estimate and of the reliability of confidences."""

    def __init__(self, catalogue: NumberedCatalogue, off_policy: OffPolicy, confidence: ConfidenceReliability) -> None:
        self._facets = catalogue.slot_facets
        self._off_policy = off_policy
        self._confidence = confidence
        self._known: dict[Entry, _Arms] = {}

    def add(
        self,
        bucket: int,
        at_ms: int,
        liked: bool,
        p: float,
        acted: Sequence[Entry],
        only: Collection[int],
        confidences: bytes,
    ) -> None:
        """Add an answer with feedback.

        Args:
            bucket: bucket of the user.
            at_ms: event time.
            liked: whether the user liked the answer.
            p: predicted probability of a like.
            acted: one entry per facet.
            only: facets that the feedback is narrowed to; empty for all.
            confidences: packed, as in `Logged`.
        """
        known, takes_all = self._known, is_sampled(at_ms)
        for entry in acted:
            if not takes_all and entry[1] > 0.5:
                continue
            facet, weight, off_policy, likes, predictions = known.get(entry) or self._arms(entry, confidences)
            if only and facet not in only:
                continue
            if off_policy is not None:
                off_policy.add(bucket, liked, weight)
            if likes is not None and predictions is not None:
                likes.add(bucket, liked, weight)
                predictions[bucket] += weight * p

    def _arms(self, entry: Entry, confidences: bytes) -> _Arms:
        choice, facet = LoggedChoice(*entry), self._facets[entry[0]]
        near = array("f", confidences)[facet : facet + 1]
        arms = self._confidence.arms_of(facet, choice, near[0] if near else 0.0)
        likes, predictions = (None, None) if arms is None else (arms[0], arms[1].liked)
        found = _Arms(facet, choice.weight, self._off_policy.arm_of(facet, choice), likes, predictions)
        if choice.is_preferred and len(self._known) < MAX_ENTRIES:  # a tried value may need the confidence each time
            self._known[entry] = found
        return found
