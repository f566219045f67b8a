"""Stored state of the population model: released beliefs in the clear, everything else encrypted.

Layout 2 is written. Layout 1 is read: its beliefs of 20 users and more get noise, its other beliefs and its hashes of
users are dropped.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from state.errors import StateError
from state.learning.contributors import Contributors
from state.learning.encryption import decrypt, encrypt
from state.learning.features import BIAS, prior_variance
from state.learning.feedback_limit import FeedbackLimit
from state.learning.feedback_limit import Packed as PackedLimit
from state.learning.population_model import CONTRIBUTORS, PopulationModel
from state.learning.population_version import Gaussian
from state.learning.proof import StoredProof
from state.learning.release import NOISE, Block, standard_normal
from state.learning.stacking import Stacking

LAYOUT = 2
"""First byte of a stored state."""
EARLIER_LAYOUT = 1

_GAIN = 1.6
"""Change of a mean of layout 1 by one feedback, per unit of its variance: two times φ(0) / Φ(0)."""


class StoredTraining(msgspec.Struct, array_like=True):
    """Counts of the trainer, which name no user."""

    number: int
    examples: int
    unpublished: int
    at_ms: int


class _Released(NamedTuple):
    mean: float
    variance: float
    users: int
    season: int


class _Sums(msgspec.Struct, array_like=True):
    """A block of stacking that is not released; the lists are by part."""

    examples: int
    residuals: list[float]
    products: list[list[float]]
    bias: tuple[float, float, float]
    """Residuals, slopes and squares for the population's bias."""
    contributors: bytes
    forgotten: list[int]


class _Stacking(msgspec.Struct, array_like=True):
    """Content of stacking besides its factors."""

    covariance: list[list[float]]
    sums: _Sums


class _Private(msgspec.Struct, array_like=True):
    contributors: dict[str, tuple[int, bytes]]
    """Feature → season, and its contributors."""
    blocks: dict[str, tuple[int, int, float, float, float, float, float, int]]
    limit: PackedLimit
    gains: dict[str, tuple[float, float, int]]
    stacking: _Stacking
    proof: StoredProof | None = None
    """None in states of earlier versions."""


class _Packed(msgspec.Struct, array_like=True):
    training: StoredTraining
    season: int
    blocks: int
    released: dict[str, _Released]
    factors: dict[str, float]
    """Released stacking factors by part."""
    bias: Gaussian
    """Released belief about the population's bias."""
    stacked: int
    """Examples in the released factors."""
    private: bytes
    """Encrypted."""
    popularity: dict[str, int] = {}
    """Published item → step of popularity; empty in states of earlier versions."""


class _Earlier(msgspec.Struct, array_like=True):
    """Layout 1. Contributors and factors follow."""

    number: int
    examples: int
    unpublished: int
    at_ms: int
    beliefs: dict[str, Gaussian]
    public: list[str]


class Restored(NamedTuple):
    """Content of a stored state."""

    training: StoredTraining
    model: PopulationModel
    limit: FeedbackLimit
    gains: dict[str, tuple[float, float, int]]
    stacking: Stacking
    proof: StoredProof | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode
_decode_private = msgspec.msgpack.Decoder(_Private).decode
_decode_earlier = msgspec.msgpack.Decoder(_Earlier).decode


def pack(restored: Restored) -> bytes:
    """Return the state as bytes. Without the model's key, they show published content only."""
    training, model, limit, gains, stacking, proof = restored
    features = sorted(model.features.items())
    private = _Private(
        {name: (one.season, one.contributors.pack()) for name, one in features if len(one.contributors)},
        {name: _packed_block(one.block) for name, one in features if one.block is not None},
        limit.pack(),
        gains,
        _packed_stacking(stacking),
        proof,
    )
    released = {
        name: _Released(one.mean, one.variance, one.released, one.season) for name, one in features if one.is_public
    }
    factors = dict(zip(stacking.parts, stacking.means, strict=True))
    packed = _Packed(
        training,
        model.season,
        model.blocks,
        released,
        factors,
        stacking.bias,
        stacking.released,
        encrypt(_encode(private), model.key),
        model.popularity(),
    )
    return bytes([LAYOUT]) + _encode(packed)


def unpack(
    data: bytes,
    key: bytes,
    facets: Sequence[str],
    is_dropped: Callable[[str], bool],
    item_contributors: int = CONTRIBUTORS,
) -> Restored:
    """Return the state of `pack`, without the features that `is_dropped` selects by name.

    `facets` and `item_contributors` are those of the catalogue, which may have changed.

    A state that was encrypted with another key keeps its released beliefs and factors alone.

    Raises:
        StateError: the bytes have an unknown layout, or are damaged.
    """
    layout = data[0] if data else None
    if layout not in (EARLIER_LAYOUT, LAYOUT):
        raise StateError(
            f"the population's state has layout {layout}; this version reads {EARLIER_LAYOUT} and {LAYOUT}: "
            "use the version that wrote it, or replay history into a new state folder"
        )
    try:
        restored = (_restored_earlier if layout == EARLIER_LAYOUT else _restored)(
            data, Stacking(facets, key), PopulationModel(key, item_contributors)
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(f"the population's state is damaged: {error}; restore the state folder") from error
    restored.model.drop(is_dropped)
    return restored


def _restored(data: bytes, stacking: Stacking, model: PopulationModel) -> Restored:
    packed, key = _decode(data[1:]), stacking.key
    model.season, model.blocks = packed.season, packed.blocks
    for name, (mean, variance, users, season) in packed.released.items():
        feature = model.add(name)
        feature.mean, feature.variance, feature.is_public = mean, variance, True
        feature.released, feature.season = users, season
    model.restore_popularity(packed.popularity)
    for number, part in enumerate(stacking.parts):
        stacking.means[number] = packed.factors.get(part, stacking.means[number])
    stacking.bias, stacking.released = packed.bias, packed.stacked
    opened = decrypt(packed.private, key)
    if opened is None:
        return Restored(packed.training, model, FeedbackLimit(), {}, stacking)
    private = _decode_private(opened)
    for name, (season, contributors) in private.contributors.items():
        feature = model.add(name)
        feature.season, feature.contributors = season, Contributors(contributors)
    for name, block in private.blocks.items():
        model.features[name].block = _block(*block)
    _restore_stacking(stacking, list(packed.factors), private.stacking)
    return Restored(packed.training, model, FeedbackLimit(private.limit), private.gains, stacking, private.proof)


def _restored_earlier(data: bytes, stacking: Stacking, model: PopulationModel) -> Restored:
    packed, key = _decode_earlier(data[1:]), stacking.key
    training = StoredTraining(packed.number, packed.examples, packed.unpublished, packed.at_ms)
    model.begin(packed.at_ms)
    for name in packed.public:
        if name in packed.beliefs:
            feature = model.add(name)
            feature.mean, feature.variance, feature.is_public = *_noisy(name, packed.beliefs[name], key), True
    stacking.bias = model.belief(BIAS)
    return Restored(training, model, FeedbackLimit(), {}, stacking)


def _noisy(name: str, belief: Gaussian, key: bytes) -> tuple[float, float]:
    """Return a belief of layout 1 after noise that hides one feedback."""
    deviation, prior = NOISE * _GAIN * belief.variance, prior_variance(name)
    mean = belief.mean + deviation * standard_normal(key, f"{name}|{belief.mean!r}".encode())
    gain = prior / (prior + belief.variance + deviation**2)
    return gain * mean, prior * (1.0 - gain)


def _packed_stacking(stacking: Stacking) -> _Stacking:
    sums = stacking.sums
    packed = _Sums(
        sums.examples, list(sums.residuals), sums.rows(), (sums.bias_residuals, sums.bias_slopes, sums.bias_squares),
        sums.contributors.pack(), sorted(sums.forgotten)
    )  # fmt: skip
    return _Stacking(stacking.covariance, packed)


def _restore_stacking(stacking: Stacking, parts: list[str], found: _Stacking) -> None:
    """Restore covariance and sums of the parts that the catalogue still has; new parts start from the prior."""
    sums, kept = stacking.sums, [part for part in parts if part in stacking.parts]
    here, there = [stacking.parts.index(part) for part in kept], [parts.index(part) for part in kept]
    for row, packed_row in zip(here, there, strict=True):
        sums.residuals[row] = found.sums.residuals[packed_row]
        for column, packed_column in zip(here, there, strict=True):
            stacking.covariance[row][column] = found.covariance[packed_row][packed_column]
            sums.products[row * len(stacking.parts) + column] = found.sums.products[packed_row][packed_column]
    sums.examples = found.sums.examples
    sums.bias_residuals, sums.bias_slopes, sums.bias_squares = found.sums.bias
    sums.contributors, sums.forgotten = Contributors(found.sums.contributors), set(found.sums.forgotten)


def _packed_block(block: Block) -> tuple[int, int, float, float, float, float, float, int]:
    return (
        block.number, block.users, block.residuals, block.shares, block.squares, block.top, block.others, block.forgets
    )  # fmt: skip


def _block(
    number: int,
    users: int,
    residuals: float,
    shares: float,
    squares: float,
    top: float,
    others: float,
    forgets: int,
) -> Block:
    block = Block(number)
    block.users, block.residuals, block.shares, block.squares = users, residuals, shares, squares
    block.top, block.others, block.forgets = top, others, forgets
    return block
