"""Content of a stored state of the population model, whatever its layout."""

from typing import NamedTuple

import msgspec

from state.learning.earlier_votes import NO_EARLIER, EarlierVotes
from state.learning.population_model import PopulationModel
from state.learning.proof import StoredProof
from state.learning.stacking import Stacking


class StoredTraining(msgspec.Struct, array_like=True):
    """Counts of the trainer, which name no user."""

    number: int
    examples: int
    unpublished: int
    at_ms: int


class Restored(NamedTuple):
    """The population model with all that belongs to it."""

    training: StoredTraining
    model: PopulationModel
    gains: dict[str, tuple[float, int]]
    """Facet → gain and count of its feedback."""
    stacking: Stacking
    proof: StoredProof = StoredProof()
    earlier: EarlierVotes = NO_EARLIER
