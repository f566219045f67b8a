"""Shards: fixed buckets of people. A shard is what Bytewax keys by, and what is snapshotted and moved as one."""

MAX_SHARDS = 256

# Bytewax gives a key to the worker `hash(text) mod workers`. A character behind each shard's number makes these hashes
# run evenly: shard i goes to bucket i mod 8, so 16 shards split evenly over 2, 4 and 8 workers (tests/state/storage/test_shards.py).
_LETTERS = (
    "aeghacgcbbrfbccsmophbcfhcggacnbjalnddtdijfeekniccdaiffmcdhobbilm"
    "ndeduaagybriugapbnaffBbhnofbhbbhbhdffcjbhhjgfvrbfdcamnDcrtgbbodo"
    "adbjccoeiobffcndcjfjgabadafiljkfqsgrgkfaagcdrmfcjbpaaaicbfaahhgd"
    "ddddcdblghgalfokuacobdrdblNabdccsjggfeaepfhaaqaaabcfccnahczbbdpe"
)


def shard_key(shard: int) -> str:
    """Return the key that Bytewax knows a shard by.

    >>> [shard_key(shard) for shard in range(3)]
    ['000a', '001e', '002g']
    """
    return f"{shard:03d}{_LETTERS[shard]}"


def shard_of(user: bytes, shards: int) -> int:
    """Return the shard, 0 to `shards` − 1, of a person's digest."""
    return int.from_bytes(user[:2], "little") % shards
