"""Proof without training: for runs with a pinned population version, or without any."""

from collections.abc import Callable, Sequence

from state.catalogue.numbered import NumberedCatalogue
from state.learning import population_state
from state.learning.example import Example
from state.learning.features import Features
from state.learning.feedback_limit import FeedbackLimit
from state.learning.population_model import PopulationModel
from state.learning.population_state import Restored, StoredTraining
from state.learning.proof import Proof
from state.learning.proof_report import ReportWrite, encode_report
from state.learning.stacking import Stacking


class ProofTrainer:
    """Proof of one run, with the stored state of a population model that stays as it is."""

    def __init__(
        self,
        catalogue: NumberedCatalogue,
        key: bytes,
        defaults: Callable[[], Sequence[int | None]],
        snapshot: bytes | None = None,
    ) -> None:
        """Continue with the state of `PopulationTrainer.pack` or `pack`, or start without.

        Args:
            catalogue: numbers of names.
            key: key of the stored state.
            defaults: returns facet → slot that is served to a user without a signal.
            snapshot: stored state.

        Raises:
            StateError: the stored state has an unknown layout, or is damaged.
        """
        self._state = (
            population_state.unpack(snapshot, key, catalogue.facet_names, Features(catalogue).is_sensitive)
            if snapshot
            else Restored(
                StoredTraining(0, 0, 0, 0),
                PopulationModel(key),
                FeedbackLimit(),
                {},
                Stacking(catalogue.facet_names, key),
            )
        )
        self._defaults = defaults
        self.proof = Proof(catalogue, self._state.proof)
        self.unpublished = 0
        """Answers since the last report."""

    def learn(self, e: Example) -> bool:
        """Add an answer to the proof; return False for one above the limits of its user."""
        if not self._state.limit.takes(e.user, e.at_ms):
            return False
        self.proof.add(e, self._defaults())
        self.unpublished += 1
        return True

    def publish(self) -> ReportWrite:
        """Return the report to write."""
        self.unpublished = 0
        return ReportWrite(encode_report(self.proof.report()))

    def pack(self) -> bytes:
        """Return the state as bytes, which `PopulationTrainer.unpack` reads, too."""
        return population_state.pack(self._state._replace(proof=self.proof.pack()))
