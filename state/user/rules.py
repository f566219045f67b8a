"""Rules of a deployment, the same for all users."""

from dataclasses import InitVar, dataclass, field

from state.catalogue.numbered import NumberedCatalogue
from state.learning.population_prior import Prior
from state.user.windows import DAY_MS
from tacit.contract.lifetimes import SIGNAL_TTL_MS, TOMBSTONE_MS

IDLE_MS = 90 * DAY_MS
"""Default of `Rules.idle_ms`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by which `UserState.observe` works."""

    catalogue: NumberedCatalogue
    lateness_ms: int = DAY_MS
    """An interaction that is older than the user's newest event by more than the limit is `late`."""
    ttl_ms: int | None = SIGNAL_TTL_MS
    """Time to live of a signal; None: unlimited."""
    idle_ms: int = IDLE_MS
    """Longest absence that a user's learned state survives."""
    tombstone_ms: int = TOMBSTONE_MS
    """Time for which a wipe of an absent user is remembered; no older event may come."""
    teaches: bool = False
    """Feedback becomes examples for the population."""
    proves: bool = False
    """Feedback becomes examples for the proof that signals help, where events log a choice (state.learning.proof)."""
    population: InitVar[Prior | None] = None
    prior: Prior = field(init=False)
    """The population's beliefs; without `population`, empty ones."""

    def __post_init__(self, population: Prior | None) -> None:
        object.__setattr__(self, "prior", population or Prior(self.catalogue))
