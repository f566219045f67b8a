"""Training of a shard after a change of the number of shards.

The sets of contributors hold hashed positions, not users, so they cannot be divided. A new shard gets the sets of all
shards that had some of its users: no user has a second vote, and some users with the position of a contributor have
none until the next season.
"""

from collections.abc import Iterable, Iterator, Sequence

from state.learning.contributors import Contributors, bitmap_bytes
from state.learning.feedback_limit import FeedbackLimit
from state.learning.shard_training import StoredShard


def joins_sets(shards: int, others: int) -> bool:
    """Return False if each new shard has the sets of one earlier shard as they were: they refuse no further user.

    >>> joins_sets(16, 64), joins_sets(16, 24), joins_sets(16, 4), joins_sets(4, 64)
    (False, True, True, True)
    """
    return others % shards != 0 or bitmap_bytes(shards) != bitmap_bytes(others)


def joined_training(stored: Sequence[StoredShard], limit: FeedbackLimit, shards: int, others: int) -> StoredShard:
    """Return the training of a new shard.

    Args:
        stored: training of each shard that had some of its users; one at least.
        limit: limits of the feedback of its users.
        shards: count of shards before.
        others: count of shards since.
    """
    season = max(one.season for one in stored)
    factors = [one.factors for one in stored]
    return StoredShard(
        season,
        _contributors([one for one in stored if one.season == season], bitmap_bytes(shards), bitmap_bytes(others)),
        limit.pack(),
        sorted({position for one in stored for position in one.forgotten}),
        max(one.every for one in stored),
        _averages(stored),
        # Without factors, no release is noticed before the second one: forgotten users wait until then.
        factors[0] if all(one == factors[0] for one in factors) else [],
    )


def _contributors(stored: Iterable[StoredShard], size: int, new_size: int) -> dict[str, bytes]:
    packed: dict[str, list[bytes]] = {}
    for one in stored:
        for name, contributors in one.contributors.items():
            packed.setdefault(name, []).append(contributors)
    return {name: union(sets, size, new_size) for name, sets in sorted(packed.items())}


def union(sets: Iterable[bytes], size: int, new_size: int) -> bytes:
    """Return a packed set with all positions that may be in some packed sets.

    Args:
        sets: sets of `Contributors.pack`.
        size: bytes of their bitmaps.
        new_size: bytes of the bitmap of the result.
    """
    sets = list(sets)
    if not any(len(packed) == size for packed in sets):
        found = Contributors(size=new_size)
        for packed in sets:
            for position in _listed(packed):
                found.add(position)
        return found.pack()
    bits, width = 0, (1 << 16) // (8 * new_size)
    for packed in sets:
        if len(packed) != size:
            spans: Iterable[tuple[int, int]] = ((position, position + 1) for position in _listed(packed))
        else:
            spans = _spans(packed)
        for first, end in spans:
            for bit in range(first // width, (end - 1) // width + 1):
                bits |= 1 << bit
    return bits.to_bytes(new_size, "little")


def _listed(packed: bytes) -> Iterator[int]:
    return (packed[place] | packed[place + 1] << 8 for place in range(0, len(packed), 2))


def _spans(bitmap: bytes) -> Iterator[tuple[int, int]]:
    """Yield the first position and the end of each bit that is set."""
    width = (1 << 16) // (8 * len(bitmap))
    for bit in range(8 * len(bitmap)):
        if bitmap[bit >> 3] >> (bit & 7) & 1:
            yield bit * width, (bit + 1) * width


def _averages(stored: Iterable[StoredShard]) -> dict[str, tuple[float, int]]:
    """Return the average contribution of each facet, weighted by the pieces of feedback behind it."""
    sums: dict[str, tuple[float, int]] = {}
    for one in stored:
        for facet, (part, pieces) in one.facets.items():
            before, counted = sums.get(facet, (0.0, 0))
            sums[facet] = before + part * pieces, counted + pieces
    return {facet: (total / pieces if pieces else 0.0, pieces) for facet, (total, pieces) in sorted(sums.items())}
