"""Off-policy evaluation: the value of following signals against using defaults, estimated from logged choices.

Inverse propensity scoring (Horvitz, Thompson, JASA 47, 1952), self-normalised (Swaminathan, Joachims, "The
self-normalized estimator for counterfactual learning", NeurIPS 2015): an answer with feedback counts for a policy if
the answer had the policy's value, with a weight of 1 / propensity. Each facet is estimated separately.

An answer counts where both policies could have been served: the preferred value differs from the default, and the
default had a propensity above 0. All of this is in the event, so a signal that has changed since has no influence.
"""

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import Arm, Arms, Difference, arm, difference
from state.learning.logged_choices import LoggedChoice, propensity_of

_KIND = "off_policy"


class OffPolicy:
    """The estimate for each facet, over the arms that it is given.

    >>> from state.learning.bucketed import Arms
    >>> from state.learning.logged_choices import LoggedChoice
    >>> catalogue = NumberedCatalogue.load()
    >>> off_policy, concise, balanced = OffPolicy(catalogue, Arms()), 0, 1
    >>> followed, tried = LoggedChoice(concise, 0.9, balanced), LoggedChoice(balanced, 0.1, balanced)
    >>> for turn in range(640):
    ...     choice = followed if turn % 10 else tried
    ...     off_policy.arm_of(0, choice).add(turn % 64, turn % 3 > 0, choice.weight)
    >>> off_policy.difference("length").n
    640
    """

    def __init__(self, catalogue: NumberedCatalogue, arms: Arms) -> None:
        self._catalogue = catalogue
        self._arms = arms

    def arm_of(self, facet: int, choice: LoggedChoice) -> Arm | None:
        """Return the arm to which answers with the choice belong; None where not both policies were possible."""
        default = self._catalogue.default_slots[facet]
        if default is None or choice.propensity >= 1.0:
            return None
        if choice.slot == default:
            side = "" if choice.propensity >= 0.5 else "default"
        else:
            side = "followed" if choice.is_preferred and propensity_of(default, choice, self._catalogue) else ""
        return arm(self._arms, _KIND, self._catalogue.facet_names[facet], side) if side else None

    def difference(self, facet: str) -> Difference:
        """Return the rate of likes of followed signals, less that of defaults."""
        return difference(arm(self._arms, _KIND, facet, "followed"), arm(self._arms, _KIND, facet, "default"))
