"""Detection of a changed taste: a CUSUM per facet of "the belief has reversed" against "the belief holds".

Page, "Continuous inspection schemes", Biometrika 41, 1954. Each piece of feedback adds the log likelihood ratio of the
two hypotheses; under the first, the facet's share of the mean has the opposite sign. The sum never falls below 0.
"""

from array import array
from collections.abc import Collection, Sequence
from math import log

from state.learning.prediction import PopulationPart, UserPart
from state.learning.probit import normal_cdf

THRESHOLD = 2.0
"""A larger sum flags a change."""
MAX_AT_ONCE = 1.0
"""Largest step of a piece of feedback: two odd answers are no change of a well-known taste."""
MEAN_KEPT = 0.3
"""Share of the facet's means that survives a flag."""
VARIANCE_REGAINED = 0.7
"""Share of the way back to the prior's variance."""
SETTLED = 6
"""Pieces of evidence, including the flagging piece, until the tier is no longer lowered: five fresh pieces."""
JUST_FLAGGED = 1
"""Value of `Drift.fresh` after the piece of evidence that raised the flag."""
MIN_LIKELIHOOD = 1e-12
"""Lower bound of a likelihood, so that ratios stay finite."""


class Drift:
    """The detectors of a user by facet."""

    __slots__ = ("at_s", "fresh", "sums")

    def __init__(self, facets: int) -> None:
        self.sums = array("f", bytes(4 * facets))
        self.at_s = array("I", bytes(4 * facets))
        """Event time of the last flag in seconds; 0: no flag so far."""
        self.fresh = array("B", [SETTLED] * facets)
        """Pieces of evidence since the last flag, including the flagging piece, up to `SETTLED`."""

    def grow(self, facets: int) -> None:
        """Make room for as many facets in all."""
        new = Drift(facets - len(self.sums))
        self.sums.extend(new.sums)
        self.at_s.extend(new.at_s)
        self.fresh.extend(new.fresh)

    def copy(self) -> "Drift":
        """Return an independent copy."""
        twin = Drift(0)
        twin.sums, twin.at_s, twin.fresh = self.sums[:], self.at_s[:], self.fresh[:]
        return twin

    def forget(self, facets: Collection[int]) -> None:
        """Reset the detectors of the given facets."""
        for facet in facets:
            self.sums[facet], self.at_s[facet], self.fresh[facet] = 0.0, 0, SETTLED

    def watch(
        self,
        own: UserPart,
        expected: PopulationPart,
        per_mean: float,
        z: float,
        likelihood: float,
        at_ms: int,
        only: Collection[int] = (),
    ) -> Sequence[int]:
        """Add a piece of feedback to the sums of the facets, and return the flagged facets.

        Args:
            own: the user model's part of the prediction, made before training.
            expected: the population's part of the prediction.
            per_mean: standard deviations per unit of the mean: positive for a like, negative for a dislike.
            z: distance of the feedback from the opposite, in standard deviations: the larger, the more expected.
            likelihood: probability of the feedback under "the belief holds", 0–1.
            at_ms: event time.
            only: facets that the feedback names; empty: all of `own`.
        """
        sums, trust, doubled = self.sums, expected.factors.own, 2.0 * per_mean
        holds = likelihood if likelihood > MIN_LIKELIHOOD else MIN_LIKELIHOOD
        flagged: Sequence[int] = ()
        for facet, share in own.shares.items():
            if not share or (only and facet not in only):
                continue
            reversed_ = normal_cdf(z - doubled * trust[facet].mean * share)
            ratio = log((reversed_ if reversed_ > MIN_LIKELIHOOD else MIN_LIKELIHOOD) / holds)
            total = sums[facet] + (ratio if ratio < MAX_AT_ONCE else MAX_AT_ONCE)
            if total <= THRESHOLD:
                sums[facet] = total if total > 0.0 else 0.0
            else:
                sums[facet], self.at_s[facet], self.fresh[facet] = 0.0, at_ms // 1000, 0
                flagged = (*flagged, facet)
        return flagged

    def settle(self, facets: Collection[int]) -> None:
        """Count a piece of evidence for the given facets."""
        fresh = self.fresh
        for facet in facets:
            if fresh[facet] < SETTLED:
                fresh[facet] += 1
