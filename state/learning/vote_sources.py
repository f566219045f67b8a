"""Numbers of the sources of votes: a shard, or a group of shards after a change of their number.

Votes that the population model has from a shard cannot be divided among the shards that have its users since. Such a
group keeps them together, and each of its shards can take all of them back.
"""

from math import gcd

_GROUPS = 256
"""A group of the shards with remainder r of a division by n has the number 256 · n + r; a shard has one below 256."""


def source_after(source: int, shards: int, others: int) -> int:
    """Return the source that has the users of a source, after a change from `shards` to `others` shards.

    >>> source_after(5, 16, 4), source_after(5, 16, 64), source_after(256 * 16 + 5, 64, 8)
    (1, 4101, 5)
    """
    shard, modulus = (source, shards) if source < _GROUPS else (source % _GROUPS, source // _GROUPS)
    common = gcd(modulus, others)
    remainder = shard % common
    return remainder if common == others else _GROUPS * common + remainder


def has_shard(source: int, shard: int) -> bool:
    """Return whether a source is a shard, or a group with it.

    >>> [has_shard(source, 21) for source in (21, 20, 256 * 16 + 5, 256 * 16 + 4)]
    [True, False, True, False]
    """
    return source == shard or (source >= _GROUPS and shard % (source // _GROUPS) == source % _GROUPS)
