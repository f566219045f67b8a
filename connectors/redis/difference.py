"""Difference of two sets of signals, in counts of users, facets, tiers, sources, confidences and profiles."""

from bisect import bisect_left
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from connectors.redis.cause import (
    Cause,
    cause_in_facet,
    cause_in_profile,
    cause_of_missing_user,
    cause_with_goes,
    cause_with_rebuild,
)
from connectors.redis.fillings import Filled
from connectors.redis.held import Held
from tacit.contract.gates import Gate
from tacit.contract.signals import Signal

MOVES = (0.0, 0.01, 0.05, 0.1, 0.2)
"""Upper ends of the bins of |difference of confidence|; the last bin has all larger ones."""

_DIGITS = 9
"""Digits of a difference of confidences: 0.86 − 0.81 is 0.05."""

PROFILE_PARTS = ("activity", "topics", "session", "hours")


class Terms(NamedTuple):
    """Terms of a comparison."""

    tolerance: float = 0.0
    """Difference of confidence up to which two signals are the same."""
    sample: int | None = None
    """Number of users; None: all."""
    expired_ms: int = 0
    """Event time up to which signals have expired."""


ALL_USERS = Terms()
"""Terms of an exact comparison of all users."""


@dataclass(slots=True)
class FacetDifference:
    """Difference in one facet; counts are of users."""

    both: int = 0
    """Users with a signal in both namespaces."""
    same: int = 0
    """Of `both`: value, tier and source are equal, and the confidences within the tolerance."""
    value: int = 0
    """Of `both`: the values differ."""
    tier: int = 0
    source: int = 0
    confidence: int = 0
    """Of `both`: the confidences differ by more than the tolerance."""
    confidence_moved: float = 0.0
    """Sum of |difference| over `confident`."""
    confident: int = 0
    """Of `both`: both signals have a confidence."""
    only_first: int = 0
    only_second: int = 0


@dataclass(slots=True)
class ProfileDifference:
    """Difference of the profiles; counts are of users."""

    both: int = 0
    same: int = 0
    activity: int = 0
    """Of `both`: the counts of turns differ."""
    topics: int = 0
    session: int = 0
    hours: int = 0
    only_first: int = 0
    only_second: int = 0


@dataclass(slots=True)
class Difference:
    """Difference of two namespaces; counts are of users, apart from `causes`."""

    first: str
    second: str
    terms: Terms = ALL_USERS
    filled: tuple[Filled, Filled] = (Filled(), Filled())
    learn: bool = False
    """True if both namespaces have a population version."""
    """Way in which the signals of each namespace came about."""
    both: int = 0
    """Users with signals, or an opt-out, in both namespaces."""
    same: int = 0
    """Of `both`: every facet and the profile are the same."""
    identical: int = 0
    """Of `both`: all fields are equal, byte for byte."""
    only_first: int = 0
    only_second: int = 0
    opted_out_in_one: int = 0
    unreadable: int = 0
    """Fields that are neither a signal nor a profile."""
    facets: dict[str, FacetDifference] = field(default_factory=dict)
    tiers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Signals by tier in the first and in the second namespace, where the tiers differ."""
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)
    moves: list[int] = field(default_factory=lambda: [0] * (len(MOVES) + 1))
    """Signals by |difference of confidence|, in the bins of `MOVES`."""
    profile: ProfileDifference = field(default_factory=ProfileDifference)
    causes: Counter[Cause] = field(default_factory=Counter)
    """Differences by cause: of facets, of profiles, and of users in one namespace only."""

    @property
    def differs(self) -> bool:
        """True if a user is in one namespace only, or differs in a facet or in the profile, or is unreadable."""
        return bool(self.both != self.same or self.only_first or self.only_second or self.unreadable)

    def add(self, one: Held, other: Held, gate: Gate) -> None:
        """Compare one user; a namespace without the user has no field."""
        self.unreadable += one.unreadable + other.unreadable
        if not one.raw or not other.raw:
            self._add_missing(one, other, gate)
            return
        self.both += 1
        self.identical += one.raw == other.raw
        if one.is_opted_out != other.is_opted_out:
            self.opted_out_in_one += 1
            self.causes[Cause.CONSENT] += 1
            return
        facets = [self._add_facet(name, one, other, gate) for name in sorted({*one.signals, *other.signals})]
        self.same += self._add_profile(one, other) and all(facets) and not one.unreadable and not other.unreadable

    def _add_missing(self, one: Held, other: Held, gate: Gate) -> None:
        if not one.raw and not other.raw:  # deleted after the scan
            return
        self.only_first += bool(one.raw)
        self.only_second += bool(other.raw)
        self.causes[cause_of_missing_user(one if one.raw else other, gate, self.terms.expired_ms)] += 1

    def _add_facet(self, name: str, one: Held, other: Held, gate: Gate) -> bool:
        facet = self.facets.setdefault(name, FacetDifference())
        first, second = one.signals.get(name), other.signals.get(name)
        facet.only_first += second is None
        facet.only_second += first is None
        same = first is not None and second is not None and self._add_signals(facet, first, second)
        if not same:
            self.causes[self._cause(name, one, other, gate)] += 1
        return same

    def _cause(self, name: str, one: Held, other: Held, gate: Gate) -> Cause:
        cause = self._with_rebuild(cause_in_facet(name, one, other, gate, self.terms.expired_ms), one, other)
        if not any(each.in_several_goes for each in self.filled):
            return cause
        return cause_with_goes(cause, one, other, are_replays=self._are_replays, learn=self.learn)

    def _with_rebuild(self, cause: Cause, one: Held, other: Held) -> Cause:
        first, second = self.filled
        if not (first.is_rebuilt or second.is_rebuilt):
            return cause
        rebuilt, other = (one, other) if first.is_rebuilt else (other, one)
        return cause_with_rebuild(cause, rebuilt, other, learn=self.learn and self._are_replays)

    @property
    def _are_replays(self) -> bool:
        return not any(each.is_live for each in self.filled)

    def _add_signals(self, facet: FacetDifference, first: Signal, second: Signal) -> bool:
        facet.both += 1
        facet.value += first.value != second.value
        facet.tier += first.tier != second.tier
        facet.source += first.source != second.source
        if first.tier != second.tier:
            self.tiers[first.tier, second.tier] += 1
        if first.source != second.source:
            self.sources[first.source, second.source] += 1
        is_close = self._add_confidences(facet, first.confidence, second.confidence)
        same = is_close and (first.value, first.tier, first.source) == (second.value, second.tier, second.source)
        facet.same += same
        return same

    def _add_confidences(self, facet: FacetDifference, first: float | None, second: float | None) -> bool:
        if first is None or second is None:
            facet.confidence += first != second
            return first == second
        moved = round(abs(first - second), _DIGITS)
        facet.confident += 1
        facet.confidence_moved += moved
        self.moves[bisect_left(MOVES, moved)] += 1
        facet.confidence += moved > self.terms.tolerance
        return moved <= self.terms.tolerance

    def _add_profile(self, one: Held, other: Held) -> bool:
        first, second, profile = one.profile, other.profile, self.profile
        if first is None and second is None:
            return True
        if first is not None and second is not None:
            profile.both += 1
            differ = [part for part in PROFILE_PARTS if getattr(first, part) != getattr(second, part)]
            for part in differ:
                setattr(profile, part, getattr(profile, part) + 1)
            same = not differ and first.at == second.at
            profile.same += same
        else:
            profile.only_first += second is None
            profile.only_second += first is None
            same = False
        if not same:
            self.causes[self._with_rebuild(cause_in_profile(one, other, self.terms.expired_ms), one, other)] += 1
        return same

    def as_dict(self) -> dict[str, Any]:
        """Return the members for JSON, with means in place of sums."""
        found = asdict(self)
        found |= {"sample": self.terms.sample, "tolerance": self.terms.tolerance, "differs": self.differs}
        del found["terms"], found["filled"], found["learn"]
        names = list(zip((self.first, self.second), self.filled, strict=True))
        found["in_several_goes"] = [name for name, filled in names if filled.in_several_goes]
        found["rebuilt"] = [name for name, filled in names if filled.is_rebuilt]
        for facet in found["facets"].values():
            confident = facet.pop("confident")
            facet["confidence_moved"] = round(facet["confidence_moved"] / confident, 4) if confident else None
        for name, counts in (("tiers", self.tiers), ("sources", self.sources)):
            found[name] = [
                {"first": first, "second": second, "signals": count}
                for (first, second), count in sorted(counts.items())
            ]
        bins = zip([*MOVES, None], found.pop("moves"), strict=True)
        found["confidence"] = [{"up_to": end, "signals": count} for end, count in bins]
        found["causes"] = {str(cause): self.causes[cause] for cause in Cause if self.causes[cause]}
        return found
