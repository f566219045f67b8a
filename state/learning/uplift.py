"""Uplift over the holdout: the rate of likes of all other users, less the rate of users with the catalogue's defaults.

The holdout is random, so the uplift of all answers needs no assumption about users. Per facet only the answers count in
which the user's own signal differs from the default, in both arms: where they agree, the users are served the same.
Users of the holdout learn from defaults alone, so their signals differ from the default less often; the uplift of a
facet compares the users as they are then.

Operators look at figures all the time, so the interval is a confidence sequence: it holds at all times together with
95 %. Asymptotic confidence sequences: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory
and asymptotic confidence sequences", Annals of Statistics 52(6), 2024, eq. 9, with the variance between buckets of
users in place of the one of independent answers.
"""

from array import array
from collections.abc import Collection
from math import log, sqrt

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import Arm, Arms, Difference, arm, difference
from state.learning.student_t import Z95, t95

ALL = "*"
"""In place of a facet: all answers."""
ALPHA = 0.05
TIGHTEST_ERROR = 0.01
"""Standard error of the difference at which the sequence is tightest."""

_KIND = "uplift"
_ALL = -1
_PRECISION = (1.0 / TIGHTEST_ERROR**2) / (-2.0 * log(ALPHA) + log(-2.0 * log(ALPHA)) + 1.0)
"""Precision of the mixture; the choice is of appendix B of the paper."""


def confidence_sequence(found: Difference) -> tuple[float, float]:
    """Return an interval that holds the true difference at all looks together, with 95 %.

    With few degrees of freedom the error counts more, as in an interval by Student's t.

    >>> low, high = confidence_sequence(Difference(9_000, 400.0, True, 0.6, 0.5, 0.1, 0.01, 63.0))
    >>> round(low, 3), round(high, 3)
    (0.069, 0.131)
    """
    error = found.error * t95(found.freedom) / Z95
    information = 1.0 / error**2
    mixed = information + _PRECISION
    margin = sqrt(mixed * log(mixed / (_PRECISION * ALPHA**2))) / information
    return found.difference - margin, found.difference + margin


class Uplift:
    """The uplift of all answers and by facet."""

    def __init__(self, catalogue: NumberedCatalogue, arms: Arms) -> None:
        self._catalogue = catalogue
        self._arms = arms
        self._found: dict[tuple[int, bool], Arm] = {}
        """Facet and whether held out → arm."""

    def add(self, bucket: int, liked: bool, held_out: bool, facets: Collection[int], signals: "array[int]") -> None:
        """Add an answer with feedback, with its facets and the user's own signals: facet → slot, −1 for none."""
        self._arm(_ALL, held_out).add(bucket, liked)
        defaults = self._catalogue.default_slots
        for facet, slot in enumerate(signals):
            if slot >= 0 and slot != defaults[facet] and facet in facets:
                self._arm(facet, held_out).add(bucket, liked)

    def _arm(self, facet: int, held_out: bool) -> Arm:
        found = self._found.get((facet, held_out))
        if found is None:
            name = ALL if facet == _ALL else self._catalogue.facet_names[facet]
            found = arm(self._arms, _KIND, name, "held_out" if held_out else "adapted")
            self._found[facet, held_out] = found
        return found

    def difference(self, facet: str = ALL) -> Difference:
        """Return the rate of likes of adapted answers, less the rate of the holdout."""
        return difference(arm(self._arms, _KIND, facet, "adapted"), arm(self._arms, _KIND, facet, "held_out"))
