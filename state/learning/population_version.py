"""A version of what is believed of everybody, as it is published: in the catalogue's words, for anybody to read.

A term is what a judged answer has: `bias` (every answer), `judged:0` to `judged:10` (how many answers the person had
judged before, in steps), `length=concise` (a value), `topic:code&length=concise` and `surface:chat&length=concise` (a
value there), `genre=action&genre=horror` (two values of a `multiple` facet at once), `item:0a1b2c3d` (an item, by the
CRC-32 of its id).
"""

from typing import Annotated, NamedTuple

import msgspec

from state.errors import StateError

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Variance = Annotated[float, msgspec.Meta(ge=0)]


class Gaussian(NamedTuple):
    """A belief about one number."""

    mean: float
    variance: Variance


class FacetScore(msgspec.Struct, frozen=True):
    """What one facet does for predictions."""

    gain: float
    """By how much its terms lower the log loss of a judgement, in nats, lately."""
    n: int
    """Judgements of answers that were served with it."""


class OffPolicy(msgspec.Struct, frozen=True):
    """What following a facet's signal is worth against using the default, by inverse propensity (state.learning.off_policy)."""

    n: int
    """Judged answers in which the two differ, and that were either."""
    followed: float
    """Chance of a like, 0–1, where the signal is followed."""
    default: float
    difference: float
    interval: tuple[float, float]
    """95 % of the difference."""


class Scores(msgspec.Struct, frozen=True):
    """How well predictions did, each scored before anything was learned from its judgement (prequential)."""

    n: int
    """Judgements scored, since the process began."""
    log_loss: float
    constant_log_loss: float
    """Of predicting the rate of likes so far."""
    auc: float
    """Area under the ROC curve, of the last 5,000."""
    ece: float
    """Expected calibration error, in ten bins."""
    drifts: int
    """Changes of the mean log loss that River's ADWIN found."""
    facets: dict[str, FacetScore]
    off_policy: dict[str, OffPolicy]


class PopulationVersion(msgspec.Struct, frozen=True):
    """A version; terms with fewer than 20 contributors are not in it, which leaves them at their prior."""

    n: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    model: Count
    """Version of the model that learned it."""
    at: Count
    """Newest event time learned from, epoch ms."""
    examples: Count
    """Judgements learned from, in all."""
    terms: dict[str, Gaussian]
    trust: dict[str, Gaussian]
    """How much to make of each part of a prediction: `offset`, `population`, `own`, `own:length` … (state.learning.stacking)."""
    silent: tuple[str, ...]
    """Facets that do not help predictions: emitted as `default` only."""
    scores: Scores | None = None


encode_version = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PopulationVersion).decode


def decode_version(data: bytes) -> PopulationVersion:
    """Read a published version; fields that a later one may have are left aside.

    Raises:
        StateError: it is none.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"a population belief cannot be read: {error}") from error


class PopulationWrite(NamedTuple):
    """A version to be written to Redis, and what it says of someone of whom nothing is known."""

    n: int
    at_ms: int
    examples: int
    version: bytes
    defaults: tuple[tuple[str, bytes], ...]
    """(facet, JSON of a signal), every facet of the catalogue of which the population knows something."""
