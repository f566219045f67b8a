"""Proof without training: for runs with a pinned population version, or without any."""

from state.catalogue.numbered import NumberedCatalogue
from state.learning import population_state
from state.learning.delta import Delta
from state.learning.features import Features
from state.learning.population_model import PopulationModel
from state.learning.proof import Proof
from state.learning.proof_report import ReportWrite, encode_report
from state.learning.restored_population import Restored, StoredTraining
from state.learning.stacking import Stacking


class ProofTrainer:
    """Proof of one run, with the stored state of a population model that stays as it is."""

    def __init__(
        self,
        catalogue: NumberedCatalogue,
        key: bytes,
        snapshot: bytes | None = None,
    ) -> None:
        """Continue with the state of `PopulationTrainer.pack` or `pack`, or start without.

        Args:
            catalogue: numbers of names.
            key: key of the stored state.
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
                {},
                Stacking(catalogue.facet_names, key),
            )
        )
        self.proof = Proof(catalogue, self._state.proof)
        self.unpublished = 0
        """Answers since the last report."""

    def merge(self, delta: Delta) -> None:
        """Add the answers of a shard."""
        if delta.proof is not None:
            self.proof.merge(delta.proof)
        self.unpublished += delta.examples

    def publish(self) -> ReportWrite:
        """Return the report to write."""
        self.unpublished = 0
        return ReportWrite(encode_report(self.proof.report()))

    def pack(self) -> bytes:
        """Return the state as bytes, which `PopulationTrainer.unpack` reads, too."""
        return population_state.pack(self._state._replace(proof=self.proof.pack()))
