"""A published population version, in the names of the catalogue.

Features of an answer: `bias` (every answer), `judged:0` to `judged:10` (the count of the user's earlier feedback, in
steps), `length=concise` (a value), `topic:code&length=concise` and `surface:chat&length=concise` (a value there),
`genre=action&genre=horror` (two values of a `multiple` facet), `item:0a1b2c3d` (an item, by the CRC-32 of its id),
`popularity:0` to `popularity:7` (the count of the item's users, in steps), `default:length=concise` (a value as the
default), `sure:0` to `sure:2` (the confidence of a choice, in steps: how much more its value is liked than predicted).
"""

from typing import Annotated, NamedTuple

import msgspec

from state.errors import StateError

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Variance = Annotated[float, msgspec.Meta(ge=0)]


class Gaussian(NamedTuple):
    """A Gaussian belief about one number."""

    mean: float
    variance: Variance


class FacetScore(msgspec.Struct, frozen=True):
    """The predictive value of one facet."""

    gain: float
    """Recent reduction of the log loss per piece of feedback, in nats."""
    n: int
    """Feedback on answers served with the facet."""


class Scores(msgspec.Struct, frozen=True):
    """Prequential scores: each prediction is scored before its feedback is learned."""

    n: int
    """Scored feedback since the start of the process."""
    log_loss: float
    constant_log_loss: float
    """Log loss of the constant prediction: the rate of likes so far."""
    auc: float
    """Area under the ROC curve of the last 5,000."""
    ece: float
    """Expected calibration error in ten bins."""
    drifts: int
    """Changes of the mean log loss, by River's ADWIN."""
    facets: dict[str, FacetScore]


_MEMBERS = {"features": "terms", "factors": "trust", "uninformative": "silent"}
"""Attribute → member of the JSON, which published versions have."""


class PopulationVersion(msgspec.Struct, frozen=True, rename=_MEMBERS):
    """A population version, without features of fewer than 20 contributors: these stay at their prior."""

    n: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    model: Count
    """Version of the model code."""
    at: Count
    """Newest event time of its examples, epoch milliseconds."""
    examples: Count
    """Count of all examples so far."""
    features: dict[str, Gaussian]
    factors: dict[str, Gaussian]
    """Stacking factors by part: `offset`, `population`, `own`, `own:length` … (state.learning.stacking)."""
    uninformative: tuple[str, ...]
    """Uninformative facets: emitted with tier `default` only."""
    scores: Scores | None = None
    popularity: dict[str, int] = {}
    """Item → step of popularity, of the items in `features` (state.learning.features)."""


encode_version = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PopulationVersion).decode


def decode_version(data: bytes) -> PopulationVersion:
    """Decode a published version; unknown fields are ignored.

    Raises:
        StateError: the bytes are no population version.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"a population version cannot be read: {error}") from error


class PopulationWrite(NamedTuple):
    """A version to publish in Redis, with the default signals of an unknown user."""

    n: int
    at_ms: int
    examples: int
    version: bytes
    defaults: tuple[tuple[str, bytes], ...]
    """(facet, JSON of a signal) for each facet with a population signal."""
    report: bytes = b""
    """Report of proof (state.learning.proof_report), written with the version; empty for none."""
