"""Entries in the bytes of a table of RocksDB: deleted and replaced ones, which no read shows.

    shared bytes of the key, other bytes, bytes of the value   varints
    the other bytes of the key: pseudonym, then 8 bytes: kind (0: deleted, 1: value) and sequence number
    value

https://github.com/facebook/rocksdb/blob/main/table/block_based/block_builder.cc
"""

from state.user import codec

TOMBSTONE, PINS, LEARNED = "tombstone", "pins", "learned"
"""Kinds of entries: a deletion or a state with consent and wipes alone; a state with pins; one with learned parts."""

BEFORE_BYTES = 8
"""Bytes before the key that an entry's head takes at most, with room."""
_TRAILER_BYTES = 8
AFTER_BYTES = _TRAILER_BYTES + codec.HEAD_BYTES
"""Bytes behind the pseudonym from which the kind follows."""
_KEY_BYTES = 16 + _TRAILER_BYTES
_VALUE = 1


def entry_kind(before: bytes, start: bytes, after: bytes) -> str | None:
    """Return the kind of the entry with a pseudonym in its key; None: the pseudonym is in no entry.

    Args:
        before: bytes before the found end of the pseudonym, at least `BEFORE_BYTES` and those of `start`, or all.
        start: start of the pseudonym, of which the table leaves out the bytes that equal those of the key before.
        after: `AFTER_BYTES` behind the pseudonym, or all.
    """
    if not any(_is_entry(before, start, shared) for shared in range(len(start) + 1)):
        return None
    if len(after) < _TRAILER_BYTES or after[0] != _VALUE:
        return TOMBSTONE
    return codec.parts_held(after[_TRAILER_BYTES:])


def _is_entry(before: bytes, start: bytes, shared: int) -> bool:
    """Return whether bytes end with an entry's head and the start of its key without the first `shared` bytes."""
    own = start[shared:]
    if not before.endswith(own):
        return False
    head = before[: len(before) - len(own)]
    lengths = bytes((shared, _KEY_BYTES - shared))
    return any(head[-2 - size : -size] == lengths for size in range(1, 5))
