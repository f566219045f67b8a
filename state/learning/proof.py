"""Proof that signals help, accumulated from answers with feedback.

All sums are in buckets of users, so no sum belongs to one user, and a forget changes none of them.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.apprentice import Apprentice
from state.learning.bucketed import Arm, Arms, Difference, bucket_of
from state.learning.candidate import ALL, Candidate
from state.learning.choice_tally import ChoiceTally
from state.learning.confidence_reliability import BinReliability, ConfidenceReliability
from state.learning.example import Example, Logged
from state.learning.logged_choices import choices
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
from state.learning.uplift import Uplift, confidence_sequence
from tacit.contract.holdout import is_held_out

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
        self._arms: Arms = {name: Arm(*packed) for name, packed in stored.arms.items()}
        self._answers, self._at_ms = stored.answers, stored.at_ms
        self.uplift = Uplift(catalogue, self._arms)
        self.off_policy = OffPolicy(catalogue, self._arms)
        self.candidate = Candidate(catalogue, self._arms)
        self.apprentice = Apprentice(catalogue, self._arms)
        self.confidence = ConfidenceReliability(catalogue, self._arms)
        self._tally = ChoiceTally(catalogue, self.off_policy, self.confidence)

    def add(self, e: Example, defaults: Sequence[int | None]) -> None:
        """Add an answer with feedback.

        `defaults` is facet → slot that the namespace serves to a user without a signal.
        """
        logged = e.logged
        if logged is None:
            return
        self._answers += 1
        self._at_ms = max(self._at_ms, e.at_ms)
        bucket, share = bucket_of(e.user), self._catalogue.holdout.share
        held_out = is_held_out(e.user, share)
        signals = array("h", logged.signals)
        if share and not logged.proposed:  # in apprentice mode all users have the defaults
            self.uplift.add(bucket, e.liked, held_out, e.shares.keys(), signals)
        if logged.proposed:
            self.apprentice.add(bucket, e.liked, e.feedback_count, logged.proposed, e.slots)
        elif logged.acted and not held_out:
            self._add_choices(bucket, e, logged, signals, defaults)

    def _add_choices(
        self, bucket: int, e: Example, logged: Logged, signals: "array[int]", defaults: Sequence[int | None]
    ) -> None:
        self._tally.add(bucket, e.at_ms, e.liked, e.p, logged.acted, e.only, logged.confidences)
        if logged.opens:
            found = choices(logged.acted, self._catalogue.slot_facets)
            self.candidate.add(bucket, e.liked, found, _own(found, signals, defaults))

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
        arms = {name: arm.pack() for name, arm in sorted(self._arms.items()) if arm.n}
        return StoredProof(self._answers, self._at_ms, arms)


def _own(facets: Iterable[int], signals: "array[int]", defaults: Sequence[int | None]) -> dict[int, int | None]:
    """Return facet → slot that the namespace would have served."""
    known = range(len(signals))
    return {facet: slot if facet in known and (slot := signals[facet]) >= 0 else defaults[facet] for facet in facets}


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
