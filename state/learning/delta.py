"""A delta: all that one shard has learned since its last delta, as sums that the population model adds up.

No sum but those of a rare feature belongs to few users; a delta stays inside a deployment, and is stored encrypted.
"""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import msgspec

from state.learning.proof_sums import ProofDelta
from state.learning.scoring_sums import ScoringDelta
from state.learning.shard_votes import FeatureVotes
from state.learning.stacking_sums import StackingDelta

NO_ROUND = -1


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """Sums of one shard."""

    shard: int
    """Source of the votes: the shard, or a group of shards (state.learning.vote_sources)."""
    season: int
    examples: int = 0
    """Examples trained on."""
    at_ms: int = 0
    """Newest event time, epoch milliseconds."""
    removed: dict[str, int] = {}
    """Feature → contributors of earlier deltas that the shard has discarded; before the votes."""
    votes: dict[str, FeatureVotes] = {}
    forgets: Sequence[str] = ()
    """Published features of forgotten users, once per user; after the votes."""
    stacking: StackingDelta | None = None
    scoring: ScoringDelta | None = None
    proof: ProofDelta | None = None
    messages: Sequence[bytes] = ()
    """Packed examples and forgets in order, for challengers alone (state.learning.challenger)."""
    round: int = NO_ROUND
    """Round of a bounded run that the shard has ended with this delta."""
    is_last: bool = False
    """The source has no further round."""
    facets: int = 0
    """Checksum of the catalogue's facets (`facets_of`): sums by facet of other facets are ignored."""

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        """Return packed bytes, for the exchange between processes."""
        return _unpickled, (pack_delta(self),)


def facets_of(names: Sequence[str]) -> int:
    """Return the checksum of a catalogue's facets in order."""
    return crc32("\n".join(names).encode())


pack_delta = msgspec.msgpack.Encoder().encode
"""Return a delta as bytes."""

unpack_delta = msgspec.msgpack.Decoder(Delta).decode
"""Return the delta in packed bytes."""


def _unpickled(data: bytes) -> Delta:
    """Return the delta in packed bytes; pickle finds functions of a module alone."""
    return unpack_delta(data)


pack_deltas = msgspec.msgpack.Encoder().encode
unpack_deltas = msgspec.msgpack.Decoder(list[Delta]).decode
