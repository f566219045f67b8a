"""Document of `tacit why`: each facet with its value, its evidence, and the feedback that would change it.

Names are those of the catalogue. Times are epoch milliseconds, 0 for none. Chances and confidences are 0–1.
"""

from typing import Literal

import msgspec

from state.learning.evidence_removal import Basis
from state.user.explanation import RemovalName
from tacit.contract.gates import ConsentState
from tacit.contract.limits import Limit
from tacit.contract.signals import Tier

DefaultOf = Literal["population", "catalogue"]


class ConsentDocument(msgspec.Struct, frozen=True):
    """Consent in one scope."""

    state: ConsentState
    since_ms: int
    """Time of the last change; 0: never."""


class Served(msgspec.Struct, frozen=True):
    """The value that assistants serve."""

    value: str | None
    """None: no value, and no default."""
    tier: Tier
    source: Literal["user", "learned", "population", "default"]
    """`user`: a pin; `population`: learned without feedback of the user on this facet."""


class Pinned(msgspec.Struct, frozen=True):
    """The user's own setting."""

    value: str | None
    """None: removed."""
    at_ms: int
    in_force: bool
    """The value is in the catalogue, and consent to `use` is not denied."""


class Predicted(msgspec.Struct, frozen=True):
    """A prediction of the model."""

    value: str
    runner_up: str
    confidence: float
    """Probability that `value` suits the user better than `runner_up`."""
    tier: Tier
    liked: float
    """Chance of a like of an answer with the value."""
    gap: float
    """`liked` less the chance with the runner-up."""
    limited_by: tuple[Limit, ...]


class Side(msgspec.Struct, frozen=True):
    """Feedback on one side of a value."""

    weight: float
    """Sum of weights, discounted as the beliefs are."""
    kinds: dict[str, int]
    """Pieces by feedback kind, of the last pieces of feedback of the user."""
    earlier_weight: float
    """Part of `weight` from earlier feedback."""
    newest_ms: int
    """Event time of the newest piece; of earlier feedback, its day."""


class Value(msgspec.Struct, frozen=True):
    """One value of the facet."""

    value: str
    liked: float
    mean: float
    """Difference of the user from the population."""
    sd: float
    evidence_for: Side
    evidence_against: Side


class WithoutDocument(msgspec.Struct, frozen=True):
    """The prediction of the model, trained again without some feedback."""

    removed: RemovalName
    pieces: int
    """Pieces of the last feedback that are removed."""
    earlier_weight: float
    """Weight of earlier feedback that is removed."""
    prediction: Predicted
    basis: Basis
    """`exact`: equal to a model that never had the feedback; `sums`: close to it, as earlier feedback is known as sums;
    `partial`: feedback from before Tacit counted evidence per value stays in the prediction."""


class ChangeDocument(msgspec.Struct, frozen=True):
    """Feedback that would change the choice."""

    pieces: int
    kind: str
    value: str
    """Value of the answers that get the feedback."""
    becomes: str | None
    tier: Tier


class WhyFacet(msgspec.Struct, frozen=True):
    """The explanation of one facet."""

    facet: str
    title: str
    served: Served
    pin: Pinned | None
    learned: Predicted
    without_pin: str | None
    """Value that assistants serve without a pin and with consent to `use`."""
    default: str | None
    """Value for an unknown user."""
    default_of: DefaultOf | None
    """Origin of the default."""
    evidence: float
    """Aged weight of the user's feedback for the learned value."""
    against: float
    """Aged weight of the user's feedback against the learned value."""
    values: tuple[Value, ...]
    without: tuple[WithoutDocument, ...]
    changes: tuple[ChangeDocument, ...]
    has_uncounted: bool
    """Some feedback came before Tacit counted evidence per value: it is in the beliefs, and not in `values`."""
    text: tuple[str, ...]
    """The explanation in sentences."""


class Why(msgspec.Struct, frozen=True):
    """The explanation of a user's values."""

    schema: Literal[1]
    user: str
    """Pseudonym."""
    checkpoint_at_ms: int
    """Age of the state that was read."""
    newest_ms: int
    """The user's newest event."""
    learns: bool
    """Feedback trains: consent to `learn` holds."""
    consent: dict[str, ConsentDocument]
    """By scope."""
    population: int
    """Population version behind the predictions; 0: none."""
    facets: tuple[WhyFacet, ...]
