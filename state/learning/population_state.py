"""Stored state of the population model: released beliefs in the clear, everything else encrypted.

Layout 4 is written. Layouts 1 and 2 are read (state.learning.earlier_population_state).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from state.errors import StateError
from state.learning.contributors import Contributors
from state.learning.earlier_population_state import (
    CENTRAL_LAYOUT,
    EARLIER_LAYOUT,
    central_votes,
    decode_central,
    restored_central,
    restored_earlier,
)
from state.learning.earlier_votes import NO_EARLIER, EarlierVotes
from state.learning.encryption import decrypt, encrypt
from state.learning.population_model import CONTRIBUTORS, Partial, PopulationModel
from state.learning.population_version import Gaussian
from state.learning.proof import StoredProof
from state.learning.release import Block
from state.learning.restored_population import Restored, StoredTraining
from state.learning.stacking import Stacking

LAYOUT = 4
"""First byte of a stored state."""

_Block = tuple[int, int, float, float, float, float, float, int]


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


class _Stacking(msgspec.Struct, array_like=True):
    """Content of stacking besides its factors."""

    covariance: list[list[float]]
    sums: _Sums


class _Feature(msgspec.Struct, array_like=True):
    season: int
    contributors: int
    block: _Block | None
    partials: dict[int, tuple[int, _Block]]


class _Private(msgspec.Struct, array_like=True):
    features: dict[str, _Feature]
    gains: dict[str, tuple[float, int]]
    stacking: _Stacking
    proof: StoredProof
    earlier: EarlierVotes = NO_EARLIER


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


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode
_decode_private = msgspec.msgpack.Decoder(_Private).decode


def pack(restored: Restored) -> bytes:
    """Return the state as bytes; without the model's key, they show published content only."""
    training, model, gains, stacking, proof, earlier = restored
    features = sorted(model.features.items())
    private = _Private(
        {
            name: _Feature(
                one.season,
                one.contributors,
                None if one.block is None else _packed_block(one.block),
                {shard: (part.contributors, _packed_block(part.block)) for shard, part in one.partials.items()},
            )
            for name, one in features
        },
        gains,
        _packed_stacking(stacking),
        proof,
        earlier if earlier.season >= model.season else NO_EARLIER,
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
    if layout not in (EARLIER_LAYOUT, CENTRAL_LAYOUT, LAYOUT):
        raise StateError(
            f"the population's state has layout {layout}; this version reads {EARLIER_LAYOUT}, {CENTRAL_LAYOUT} and "
            f"{LAYOUT}: use the version that wrote it, or replay history into a new state folder"
        )
    try:
        restored = (restored_earlier if layout == EARLIER_LAYOUT else _restored)(
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
        return Restored(packed.training, model, {}, stacking)
    if data[0] == CENTRAL_LAYOUT:
        return restored_central(packed.training, model, stacking, list(packed.factors), decode_central(opened))
    private = _decode_private(opened)
    for name, found in private.features.items():
        feature = model.add(name)
        feature.season, feature.contributors = found.season, found.contributors
        feature.block = None if found.block is None else _block(*found.block)
        for shard, (contributors, block) in found.partials.items():
            feature.partials[shard] = Partial(contributors, _block(*block))
    _restore_stacking(stacking, list(packed.factors), private.stacking)
    return Restored(packed.training, model, private.gains, stacking, private.proof, private.earlier)


def earlier_votes(data: bytes, key: bytes) -> EarlierVotes:
    """Return the contributors in a state of layout 2, or those that a state of layout 4 keeps; none in no bytes.

    Raises:
        StateError: the bytes are damaged.
    """
    if not data or data[0] not in (CENTRAL_LAYOUT, LAYOUT):
        return NO_EARLIER
    try:
        packed = _decode(data[1:])
        opened = decrypt(packed.private, key)
        if opened is None:
            return NO_EARLIER
        if data[0] == LAYOUT:
            return _decode_private(opened).earlier
        return central_votes(packed.training, decode_central(opened))
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(f"the population's state is damaged: {error}; restore the state folder") from error


def with_sources(data: bytes, key: bytes, source_after: Callable[[int], int]) -> bytes:
    """Return a state after a change of the shards: votes that shards can take back get their new sources.

    `source_after` maps a source of votes to the one that has its users then. Earlier layouts have no such votes.

    Raises:
        StateError: the bytes are damaged.
    """
    if not data or data[0] != LAYOUT:
        return data
    try:
        packed = _decode(data[1:])
        opened = decrypt(packed.private, key)
        if opened is None:
            return data
        private = _decode_private(opened)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(f"the population's state is damaged: {error}; restore the state folder") from error
    for feature in private.features.values():
        feature.partials = _joined(feature.partials, source_after)
    packed.private = encrypt(_encode(private), key)
    return data[:1] + _encode(packed)


def _joined(
    partials: Mapping[int, tuple[int, _Block]], source_after: Callable[[int], int]
) -> dict[int, tuple[int, _Block]]:
    """Return the votes by new source; the order of addition is that of the earlier sources."""
    joined: dict[int, Partial] = {}
    for source, (contributors, (_, users, residuals, shares, squares, top, others, _)) in sorted(partials.items()):
        partial = joined.setdefault(source_after(source), Partial(0, Block(0)))
        partial.contributors += contributors
        partial.block.merge(users, residuals, shares, squares, top, others)
    return {source: (one.contributors, _packed_block(one.block)) for source, one in sorted(joined.items())}


def _packed_stacking(stacking: Stacking) -> _Stacking:
    sums = stacking.sums
    packed = _Sums(
        sums.examples, list(sums.residuals), sums.rows(), (sums.bias_residuals, sums.bias_slopes, sums.bias_squares),
        sums.contributors.pack(),
    )  # fmt: skip
    return _Stacking(stacking.covariance, packed)


def _restore_stacking(stacking: Stacking, parts: list[str], found: _Stacking) -> None:
    """Restore covariance and sums of the parts that the catalogue still has; new parts start from the prior."""
    stacking.restore_covariance(parts, found.covariance)
    sums = stacking.sums
    for row, packed_row in stacking.kept(parts):
        sums.residuals[row] = found.sums.residuals[packed_row]
        for column, packed_column in stacking.kept(parts):
            sums.products[row * len(stacking.parts) + column] = found.sums.products[packed_row][packed_column]
    sums.examples = found.sums.examples
    sums.bias_residuals, sums.bias_slopes, sums.bias_squares = found.sums.bias
    sums.contributors = Contributors(found.sums.contributors)


def _packed_block(block: Block) -> _Block:
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
