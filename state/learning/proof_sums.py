"""Sums of the proof that signals help, of the answers of one shard since its last delta."""

from array import array
from collections.abc import Iterable, Sequence

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.apprentice import Apprentice
from state.learning.bucketed import NewArms, PackedAnswers, bucket_of
from state.learning.candidate import Candidate
from state.learning.choice_tally import ChoiceTally
from state.learning.confidence_reliability import ConfidenceReliability
from state.learning.example import Example, Logged
from state.learning.logged_choices import choices
from state.learning.off_policy import OffPolicy
from state.learning.uplift import Uplift
from tacit.contract.holdout import is_held_out


class ProofDelta(msgspec.Struct, frozen=True, array_like=True):
    """Sums of answers with feedback."""

    answers: int
    at_ms: int
    arms: dict[str, PackedAnswers]


class ProofSums:
    """Sums of new answers."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        """Begin without answers."""
        self._catalogue = catalogue
        self._new = NewArms()
        arms = self._new.as_arms()
        self._answers = self._at_ms = 0
        self._uplift = Uplift(catalogue, arms)
        self._candidate = Candidate(catalogue, arms)
        self._apprentice = Apprentice(catalogue, arms)
        self._tally = ChoiceTally(catalogue, OffPolicy(catalogue, arms), ConfidenceReliability(catalogue, arms))

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
            self._uplift.add(bucket, e.liked, held_out, e.shares.keys(), signals)
        if logged.proposed:
            self._apprentice.add(bucket, e.liked, e.feedback_count, logged.proposed, e.slots)
        elif logged.acted and not held_out:
            self._add_choices(bucket, e, logged, signals, defaults)

    def _add_choices(
        self, bucket: int, e: Example, logged: Logged, signals: "array[int]", defaults: Sequence[int | None]
    ) -> None:
        self._tally.add(bucket, e.at_ms, e.liked, e.p, logged.acted, e.only, logged.confidences)
        if logged.opens:
            found = choices(logged.acted, self._catalogue.slot_facets)
            self._candidate.add(bucket, e.liked, found, _own(found, signals, defaults))

    def take(self) -> ProofDelta | None:
        """Return the sums, and begin again; None without an answer."""
        if not self._answers:
            return None
        found = ProofDelta(self._answers, self._at_ms, self._new.take())
        self._answers = 0
        return found


def _own(facets: Iterable[int], signals: "array[int]", defaults: Sequence[int | None]) -> dict[int, int | None]:
    """Return facet → slot that the namespace would have served."""
    known = range(len(signals))
    return {facet: slot if facet in known and (slot := signals[facet]) >= 0 else defaults[facet] for facet in facets}
