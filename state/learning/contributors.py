"""The contributors of a feature, as a small set of hashed positions.

A user has one vote on a feature. The set is exact up to `EXACT` users, as a list of 16-bit positions; above that it is
a bitmap of 12-bit positions. Two users can share a position: then the second one has no vote. A user can be discarded.
"""

EXACT = 32
"""Users up to which the set is a list."""
LIST_POSITIONS = 1 << 16
BITMAP_POSITIONS = 1 << 12
"""Positions of a bitmap, and so the limit of users."""

_EXACT = EXACT
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

    def __init__(self, packed: bytes = b"") -> None:
        if len(packed) % 2:
            raise ValueError(f"contributors have {len(packed)} bytes, an odd number")
        self._bytes = bytearray(packed)
        """Two bytes per position, or one bit."""
        self._is_bitmap = len(packed) == _MAX_BYTES
        self._count = sum(byte.bit_count() for byte in packed) if self._is_bitmap else len(packed) // 2

    def __len__(self) -> int:
        return self._count

    def __contains__(self, position: int) -> bool:
        if not self._is_bitmap:
            return self._find(position) >= 0
        position >>= _FOLD
        return bool(self._bytes[position >> 3] >> (position & 7) & 1)

    def _find(self, position: int) -> int:
        """Return the place of a position in the list; −1: it is not there."""
        low, high = position & 0xFF, position >> 8
        for place in range(self._count):
            if self._bytes[2 * place] == low and self._bytes[2 * place + 1] == high:
                return place
        return -1

    def add(self, position: int) -> bool:
        """Add a user, and return False for a position that is taken."""
        if not self._is_bitmap:
            if self._find(position) >= 0:
                return False
            if self._count < _EXACT:
                self._bytes.append(position & 0xFF)
                self._bytes.append(position >> 8)
                self._count += 1
                return True
            self._to_bitmap()
        return self._set(position)

    def _set(self, position: int) -> bool:
        place, bit = position >> _FOLD + 3, 1 << (position >> _FOLD & 7)
        before = self._bytes[place]
        if before & bit:
            return False
        self._bytes[place] = before | bit
        self._count += 1
        return True

    def discard(self, position: int) -> bool:
        """Remove a user, and return False for a position that is free."""
        if position not in self:
            return False
        if self._is_bitmap:
            position >>= _FOLD
            self._bytes[position >> 3] &= 0xFF ^ (1 << (position & 7))
        else:
            place = self._find(position)
            del self._bytes[2 * place : 2 * place + 2]
        self._count -= 1
        return True

    def pack(self) -> bytes:
        """Return at most 512 bytes, from which the constructor makes the set again."""
        return bytes(self._bytes)

    def _to_bitmap(self) -> None:
        positions = self._bytes
        self._bytes, self._is_bitmap, self._count = bytearray(_MAX_BYTES), True, 0
        for place in range(_EXACT):
            self._set(positions[2 * place] | positions[2 * place + 1] << 8)
