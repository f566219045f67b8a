"""The policy of a namespace, estimated from the choices of another one: a candidate before it is promoted.

A shadow namespace processes the same log. At each answer its own signals are compared with the served values. An answer
with the same value counts with a weight of 1 / propensity, also if the choice was certain. The reference are all of
these answers, as they were served.

Only the first feedback after half an hour counts: a choice is drawn per conversation, and the signals learn during it,
so later answers are chosen no more at random than the first one.
"""

from collections.abc import Mapping, Sequence

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import Arm, Arms, Difference, arm, difference
from state.learning.logged_choices import LoggedChoice
from tacit.contract.policy import MIN_PROPENSITY

ALL = "*"
"""In place of a facet: all facets together."""

_KIND = "candidate"
_ALL = -1
_MAX_WEIGHT = 1.0 / MIN_PROPENSITY


class Candidate:
    """The estimate for each facet, and for all facets together."""

    def __init__(self, catalogue: NumberedCatalogue, arms: Arms) -> None:
        self._catalogue = catalogue
        self._arms = arms
        self._pairs: dict[int, tuple[Arm, Arm]] = {}
        """Facet → arms of the log and of the namespace."""

    def add(self, bucket: int, liked: bool, choices: Mapping[int, LoggedChoice], own: Mapping[int, int | None]) -> None:
        """Add an answer with feedback; `own` is facet → slot that the namespace would have served."""
        weight, compared = 1.0, False
        for facet, choice in choices.items():
            slot = own.get(facet)
            if slot is not None:
                compared = True
                one = choice.weight if choice.slot == slot else 0.0
                weight *= one
                self._add(facet, bucket, liked, one)
        if compared:
            self._add(_ALL, bucket, liked, min(weight, _MAX_WEIGHT))

    def _add(self, facet: int, bucket: int, liked: bool, weight: float) -> None:
        pair = self._pairs.get(facet)
        if pair is None:
            name = ALL if facet == _ALL else self._catalogue.facet_names[facet]
            pair = self._pairs[facet] = arm(self._arms, _KIND, name, "logged"), arm(self._arms, _KIND, name, "own")
        pair[0].add(bucket, liked)
        if weight:
            pair[1].add(bucket, liked, weight)

    def difference(self, facet: str) -> Difference:
        """Return the rate of likes of the namespace's policy, less the rate as served."""
        return difference(arm(self._arms, _KIND, facet, "own"), arm(self._arms, _KIND, facet, "logged"))

    def support(self, facet: str) -> float:
        """Return the share of answers, 0–1, where the namespace's value could have been served at all.

        The estimate assumes the same rate for the rest.
        """
        logged = arm(self._arms, _KIND, facet, "logged").n
        return min(1.0, arm(self._arms, _KIND, facet, "own").weight / logged) if logged else 0.0

    def facets(self) -> Sequence[str]:
        """Return the facets with answers."""
        return [name for name in self._catalogue.facets if f"{_KIND} {name} logged" in self._arms]
