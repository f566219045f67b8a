"""Stored states of the population model in earlier layouts.

Layout 2 had one set of contributors per feature for all shards, and its sums belong to no shard: sums that wait are
dropped, and the contributors refuse votes of the same users (state.learning.earlier_votes). Of layout 1, beliefs of 20
users and more get noise; its other beliefs and its hashes of users are dropped.
"""

from typing import Any

import msgspec

from state.learning.contributors import Contributors
from state.learning.earlier_votes import EarlierVotes
from state.learning.features import BIAS, prior_variance
from state.learning.linear_algebra import Matrix
from state.learning.population_model import PopulationModel
from state.learning.population_version import Gaussian
from state.learning.proof import StoredProof
from state.learning.release import NOISE, standard_normal
from state.learning.restored_population import Restored, StoredTraining
from state.learning.shard_votes import SEASON_MS
from state.learning.stacking import Stacking

CENTRAL_LAYOUT = 2
EARLIER_LAYOUT = 1

_GAIN = 1.6
"""Change of a mean of layout 1 by one feedback, per unit of its variance: two times φ(0) / Φ(0)."""


class _Stacking(msgspec.Struct, array_like=True):
    covariance: Matrix
    sums: Any


class CentralPrivate(msgspec.Struct, array_like=True):
    """Private part of layout 2."""

    contributors: dict[str, tuple[int, bytes]]
    """Feature → season, and its contributors."""
    blocks: Any
    limit: Any
    gains: dict[str, tuple[float, float, int]]
    stacking: _Stacking
    proof: StoredProof | None = None


class _Earlier(msgspec.Struct, array_like=True):
    """Layout 1. Contributors and factors follow."""

    number: int
    examples: int
    unpublished: int
    at_ms: int
    beliefs: dict[str, Gaussian]
    public: list[str]


decode_central = msgspec.msgpack.Decoder(CentralPrivate).decode
_decode_earlier = msgspec.msgpack.Decoder(_Earlier).decode


def restored_central(
    training: StoredTraining, model: PopulationModel, stacking: Stacking, parts: list[str], private: CentralPrivate
) -> Restored:
    """Return a state of layout 2, whose released beliefs are in the model; `parts` are its factors in order."""
    earlier = central_votes(training, private)
    model.season = max(model.season, earlier.season)
    for name, (_, contributors) in private.contributors.items():
        if name in model.features:
            model.features[name].contributors = len(Contributors(contributors))
    stacking.restore_covariance(parts, private.stacking.covariance)
    gains = {name: (gain, n) for name, (gain, _, n) in private.gains.items()}
    return Restored(training, model, gains, stacking, private.proof or StoredProof(), earlier)


def central_votes(training: StoredTraining, private: CentralPrivate) -> EarlierVotes:
    """Return the contributors of the newest season: of the others, all may vote again."""
    seasons = [season for season, _ in private.contributors.values()]
    newest = max([training.at_ms // SEASON_MS, *seasons])
    sets = {name: packed for name, (season, packed) in private.contributors.items() if season == newest}
    return EarlierVotes(newest, sets)


def restored_earlier(data: bytes, stacking: Stacking, model: PopulationModel) -> Restored:
    """Return a state of layout 1."""
    packed, key = _decode_earlier(data[1:]), stacking.key
    training = StoredTraining(packed.number, packed.examples, packed.unpublished, packed.at_ms)
    model.season = packed.at_ms // SEASON_MS
    for name in packed.public:
        if name in packed.beliefs:
            feature = model.add(name)
            feature.mean, feature.variance, feature.is_public = *_noisy(name, packed.beliefs[name], key), True
    stacking.bias = model.belief(BIAS)
    return Restored(training, model, {}, stacking)


def _noisy(name: str, belief: Gaussian, key: bytes) -> tuple[float, float]:
    """Return a belief of layout 1 after noise that hides one feedback."""
    deviation, prior = NOISE * _GAIN * belief.variance, prior_variance(name)
    mean = belief.mean + deviation * standard_normal(key, f"{name}|{belief.mean!r}".encode())
    gain = prior / (prior + belief.variance + deviation**2)
    return gain * mean, prior * (1.0 - gain)
