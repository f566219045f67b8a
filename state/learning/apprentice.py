"""Apprentice mode: the value of signals, from an assistant that chooses by itself and logs the proposed values.

An answer matches if it was served with the proposed value. The gain is the rate of likes of matches, less that of the
others, within strata of the proposed value and of the user's experience (Mantel, Haenszel, JNCI 22(4), 1959, as a
difference of rates: Greenland, Robins, Biometrics 41(1), 1985).

Assumption: within a stratum, the assistant's own choice is independent of all else that makes users like an answer.
No experiment stands behind the gain, so it is a hint; a holdout in mode `live` proves.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from math import fsum, sqrt

from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import BUCKETS, MIN_ANSWERS, MIN_BUCKETS, Arm, Arms, Difference, arm, freedom_of

_KIND = "apprentice"
_EXPERIENCE = (6, 21)
"""Counts of earlier feedback at which the next stratum begins."""
_MIN_STRATUM = 5
"""Answers of each side without which a stratum is left out."""


class Apprentice:
    """Match rate and gain by facet."""

    def __init__(self, catalogue: NumberedCatalogue, arms: Arms) -> None:
        self._catalogue = catalogue
        self._arms = arms

    def add(
        self, bucket: int, liked: bool, feedback_count: int, proposed: Sequence[int], served: Collection[int]
    ) -> None:
        """Add an answer with feedback, with the proposed and the served slots.

        Facets that were not served are left out, and so are proposals that contradict each other.
        """
        catalogue = self._catalogue
        facets = {catalogue.slot_facets[slot] for slot in served}
        experience = str(len([1 for least in _EXPERIENCE if feedback_count >= least]))
        slots = set(proposed)
        counts = Counter([catalogue.slot_facets[slot] for slot in slots])
        for slot in sorted(slots):
            facet = catalogue.slot_facets[slot]
            if facet in facets and counts[facet] == 1:
                side = "matched" if slot in served else "other"
                names = catalogue.facet_names[facet], catalogue.slots[slot].value, experience
                arm(self._arms, _KIND, *names, side).add(bucket, liked)

    def facets(self) -> Sequence[str]:
        """Return the facets with proposals."""
        found = {name.split(" ")[1] for name in self._arms if name.startswith(f"{_KIND} ")}
        return [name for name in self._catalogue.facets if name in found]

    def match_rate(self, facet: str) -> tuple[float, int]:
        """Return the share of answers that were served as proposed, and the count of answers."""
        strata = list(self._strata(facet))
        matched, n = sum(one.n for one, _ in strata), sum(one.n + other.n for one, other in strata)
        return matched / n if n else 0.0, n

    def suffices(self, facet: str) -> bool:
        """Return whether enough answers, of enough users, stand behind the match rate."""
        arms = [side for pair in self._strata(facet) for side in pair]
        buckets = [b for b in range(BUCKETS) if any(side.weights[b] for side in arms)]
        return sum(side.n for side in arms) >= MIN_ANSWERS and len(buckets) >= MIN_BUCKETS

    def gain(self, facet: str) -> Difference:
        """Return the rate of likes of matches, less that of the others."""
        strata = [pair for pair in self._strata(facet) if min(pair[0].n, pair[1].n) >= _MIN_STRATUM]
        shares = [one.n * other.n / (one.n + other.n) for one, other in strata]
        total, n = fsum(shares), sum(one.n + other.n for one, other in strata)
        if not total:
            return Difference(n, 0.0, False)
        weighed = [(share / total, one, other) for share, (one, other) in zip(shares, strata, strict=True)]
        rate, base = (fsum(share * pair[side].mean for share, *pair in weighed) for side in (0, 1))
        deviations = [fsum(share * _deviation(b, one, other) for share, one, other in weighed) for b in range(BUCKETS)]
        squares = fsum(d * d for d in deviations)
        effective = min(sum(one.n for one, _ in strata), sum(other.n for _, other in strata))
        used = len([d for d in deviations if d])
        suffices = effective >= MIN_ANSWERS and used >= MIN_BUCKETS
        error = sqrt(squares * used / max(used - 2, 1))
        return Difference(n, effective, suffices, rate, base, rate - base, error, freedom_of(deviations, squares, used))

    def _strata(self, facet: str) -> Iterator[tuple[Arm, Arm]]:
        for value in self._catalogue.facets[facet].values:
            for experience in range(len(_EXPERIENCE) + 1):
                names = (_KIND, facet, value, str(experience))
                pair = [self._arms.get(" ".join((*names, side)), _EMPTY) for side in ("matched", "other")]
                yield pair[0], pair[1]


_EMPTY = Arm()


def _deviation(bucket: int, one: Arm, other: Arm) -> float:
    """Return the influence of a bucket on the difference of one stratum."""
    first, second = ((side.liked[bucket] - side.mean * side.weights[bucket]) / side.weight for side in (one, other))
    return first - second
