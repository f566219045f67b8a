"""The contributors of a feature, as a small set of hashed positions.

A user has one vote on a feature. The set is exact up to `EXACT` users, as a list of 16-bit positions; above that it is
a bitmap of 12-bit positions. Two users can share a position: then the second one has no vote. A user can be discarded.
"""

from array import array

EXACT = 32
"""Users up to which the set is a list."""
LIST_POSITIONS = 1 << 16
BITMAP_POSITIONS = 1 << 12
"""Positions of a bitmap, and so the limit of users."""

_FOLD = 4
"""Bits between a position of the list and one of the bitmap."""
_MAX_BYTES = BITMAP_POSITIONS // 8


class Contributors:
    """Set of users by 16-bit position; the caller hashes users, with another hash for each feature.

    >>> contributors = Contributors()
    >>> [contributors.add(position) for position in (7, 9, 7)]
    [True, True, False]
    >>> contributors.discard(7), len(contributors)
    (True, 1)
    """

    __slots__ = ("_bits", "_count", "_list")

    def __init__(self, packed: bytes = b"") -> None:
        self._list = array("H")
        self._bits: bytearray | None = None
        if len(packed) == _MAX_BYTES:
            self._bits = bytearray(packed)
            self._count = sum(byte.bit_count() for byte in packed)
        else:
            self._list.frombytes(packed)
            self._count = len(self._list)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, position: int) -> bool:
        if self._bits is None:
            return position in self._list
        position >>= _FOLD
        return bool(self._bits[position >> 3] >> (position & 7) & 1)

    def add(self, position: int) -> bool:
        """Add a user, and return False for a position that is taken."""
        bits = self._bits
        if bits is None:
            if position in self._list:
                return False
            if self._count < EXACT:
                self._list.append(position)
                self._count += 1
                return True
            bits = self._to_bitmap()
        place, bit = position >> _FOLD + 3, 1 << (position >> _FOLD & 7)
        if bits[place] & bit:
            return False
        bits[place] |= bit
        self._count += 1
        return True

    def discard(self, position: int) -> bool:
        """Remove a user, and return False for a position that is free."""
        if position not in self:
            return False
        if self._bits is None:
            self._list.remove(position)
        else:
            position >>= _FOLD
            self._bits[position >> 3] &= ~(1 << (position & 7))
        self._count -= 1
        return True

    def pack(self) -> bytes:
        """Return at most 512 bytes, from which the constructor makes the set again."""
        return self._list.tobytes() if self._bits is None else bytes(self._bits)

    def _to_bitmap(self) -> bytearray:
        bits = self._bits = bytearray(_MAX_BYTES)
        positions, self._list, self._count = self._list, array("H"), 0
        for position in positions:
            self.add(position)
        return bits
