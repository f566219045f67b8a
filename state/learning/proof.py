"""Proof that signals help, accumulated from the sums of all shards (state.learning.proof_sums).

All sums are in buckets of users, so no sum belongs to one user, and a forget changes none of them.
"""

from collections.abc import Mapping

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.apprentice import Apprentice
from state.learning.bucketed import Arm, Arms, Difference
from state.learning.candidate import ALL, Candidate
from state.learning.confidence_reliability import BinReliability, ConfidenceReliability
from state.learning.off_policy import OffPolicy
from state.learning.proof_report import (
    ApprenticeProof,
    CandidateProof,
    Challenger,
    Compared,
    ConfidenceProof,
    Estimate,
    Interval,
    ProofReport,
)
from state.learning.proof_sums import ProofDelta
from state.learning.uplift import Uplift, confidence_sequence

DECIMALS = 3

PackedArms = dict[str, tuple[int, float, bytes, bytes]]


class StoredProof(msgspec.Struct, array_like=True):
    """Stored sums."""

    answers: int = 0
    at_ms: int = 0
    arms: PackedArms = {}


class Proof:
    """Accumulated proof of one namespace."""

    def __init__(self, catalogue: NumberedCatalogue, stored: StoredProof | None = None) -> None:
        stored = stored or StoredProof()
        self._catalogue = catalogue
        self._arms = Arms({name: Arm(*packed) for name, packed in stored.arms.items()})
        self._answers, self._at_ms = stored.answers, stored.at_ms
        self.uplift = Uplift(catalogue, self._arms)
        self.off_policy = OffPolicy(catalogue, self._arms)
        self.candidate = Candidate(catalogue, self._arms)
        self.apprentice = Apprentice(catalogue, self._arms)
        self.confidence = ConfidenceReliability(catalogue, self._arms)

    def merge(self, new: ProofDelta) -> None:
        """Add the sums of further answers."""
        self._answers += new.answers
        self._at_ms = max(self._at_ms, new.at_ms)
        for name, answers in new.arms.items():
            self._arms[name].merge(answers)

    def report(self, challengers: tuple[Challenger, ...] = ()) -> ProofReport:
        """Return all figures."""
        facets, apprentice, candidate = self._catalogue.facets, self.apprentice, self.candidate
        return ProofReport(
            at=self._at_ms,
            answers=self._answers,
            holdout=self._catalogue.holdout.share,
            uplift=_sequence(self.uplift.difference()),
            uplift_by_facet=_with_answers({name: _sequence(self.uplift.difference(name)) for name in facets}),
            off_policy=_with_answers({name: _compared(self.off_policy.difference(name)) for name in facets}),
            candidate=self._candidate(ALL) if candidate.facets() else None,
            candidate_by_facet={name: self._candidate(name) for name in candidate.facets()},
            apprentice={name: self._apprentice(name) for name in apprentice.facets()},
            confidence=tuple(_confidence(float(low), found) for low, found in self.confidence.bins().items()),
            challengers=challengers,
        )

    def _candidate(self, facet: str) -> CandidateProof:
        found = _compared(self.candidate.difference(facet))
        return CandidateProof(found, round(self.candidate.support(facet), DECIMALS))

    def _apprentice(self, facet: str) -> ApprenticeProof:
        rate, n = self.apprentice.match_rate(facet)
        gain = self.apprentice.gain(facet)
        return ApprenticeProof(n, round(rate, DECIMALS) if self.apprentice.suffices(facet) else None, _compared(gain))

    def pack(self) -> StoredProof:
        """Return the sums to store."""
        arms = {name: arm.pack() for name, arm in sorted(self._arms.items()) if arm.n or any(arm.liked)}
        return StoredProof(self._answers, self._at_ms, arms)


def _with_answers(compared: Mapping[str, Compared]) -> dict[str, Compared]:
    return {name: one for name, one in compared.items() if one.n}


def _compared(found: Difference) -> Compared:
    return _estimated(found, found.interval)


def _sequence(found: Difference) -> Compared:
    return _estimated(found, confidence_sequence(found) if found.suffices else (0.0, 0.0))


def _estimated(found: Difference, interval: Interval) -> Compared:
    if not found.suffices:
        return Compared(found.n, int(found.effective))
    rate, other, difference = (round(rate, DECIMALS) for rate in (found.rate, found.other, found.difference))
    return Compared(found.n, int(found.effective), Estimate(rate, other, difference, _rounded(interval)))


def _confidence(low: float, found: BinReliability) -> ConfidenceProof:
    error = found.error
    if not error.suffices:
        return ConfidenceProof(low, error.n, int(error.effective))
    predicted = round(found.observed - error.difference, DECIMALS)
    return ConfidenceProof(
        low, error.n, int(error.effective), round(found.observed, DECIMALS), predicted, _rounded(error.interval)
    )


def _rounded(interval: Interval) -> Interval:
    low, high = interval
    return round(low, DECIMALS), round(high, DECIMALS)
