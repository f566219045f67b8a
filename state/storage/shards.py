"""Shards: fixed buckets of users. A shard is Bytewax's key, and the unit of snapshots and of rescaling."""

from math import gcd

MAX_SHARDS = 256
CACHED_USERS = 16_384
"""Unpacked states in memory of one process, over all shards."""

# Bytewax assigns a key to the worker `hash(text) mod workers`. A character behind each shard's number spreads these
# hashes evenly: shard i goes to bucket i mod 8, so 16 shards split evenly over 2, 4 and 8 workers (test_shards.py).
_LETTERS = (
    "aeghacgcbbrfbccsmophbcfhcggacnbjalnddtdijfeekniccdaiffmcdhobbilm"
    "ndeduaagybriugapbnaffBbhnofbhbbhbhdffcjbhhjgfvrbfdcamnDcrtgbbodo"
    "adbjccoeiobffcndcjfjgabadafiljkfqsgrgkfaagcdrmfcjbpaaaicbfaahhgd"
    "ddddcdblghgalfokuacobdrdblNabdccsjggfeaepfhaaqaaabcfccnahczbbdpe"
)


def shard_key(shard: int) -> str:
    """Return the Bytewax key of a shard.

    >>> [shard_key(shard) for shard in range(3)]
    ['000a', '001e', '002g']
    """
    return f"{shard:03d}{_LETTERS[shard]}"


def shard_of(user: bytes, shards: int) -> int:
    """Return the shard of a pseudonym, 0 to `shards` − 1."""
    return int.from_bytes(user[:2], "little") % shards


def overlapping(shard: int, shards: int, others: int) -> range:
    """Return the shards, of another number `others`, that can have users of a shard.

    >>> [list(overlapping(5, 16, others)) for others in (4, 16, 64, 6)]
    [[1], [5], [5, 21, 37, 53], [1, 3, 5]]
    """
    common = gcd(shards, others)
    return range(shard % common, others, common)
