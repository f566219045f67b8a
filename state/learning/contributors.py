"""The contributors of a feature in one shard, as a small set of hashed positions.

A user has one vote on a feature. The set is exact up to `EXACT` users, as a list of 16-bit positions; above that it is
a bitmap. The bitmaps of all shards together have 12-bit positions. Two users can share a position: then the second one
has no vote. A user can be discarded.
"""

EXACT = 32
"""Users up to which the set is a list; fewer if the bitmap is smaller than the list."""
LIST_POSITIONS = 1 << 16
BITMAP_POSITIONS = 1 << 12
"""Positions of the bitmaps of all shards, and so the limit of users."""
LEAST_BYTES = 32

_EXACT = EXACT
_MAX_BYTES = BITMAP_POSITIONS // 8


def bitmap_bytes(shards: int) -> int:
    """Return the size of the bitmap of one shard, a power of two.

    >>> bitmap_bytes(1), bitmap_bytes(3), bitmap_bytes(16), bitmap_bytes(256)
    (512, 256, 32, 32)
    """
    size = _MAX_BYTES
    while size > LEAST_BYTES and size * shards >= 2 * _MAX_BYTES:
        size //= 2
    return size


class Contributors:
    """Set of users by 16-bit position; the caller hashes users, with another hash for each feature.

    >>> contributors = Contributors()
    >>> [contributors.add(position) for position in (7, 9, 7)]
    [True, True, False]
    >>> contributors.discard(7), len(contributors)
    (True, 1)
    """

    def __init__(self, packed: bytes = b"", size: int = _MAX_BYTES) -> None:
        """Begin without users, or with those of `pack`; `size` is the size of the bitmap (`bitmap_bytes`)."""
        if len(packed) % 2 or len(packed) > size:
            raise ValueError(f"contributors have {len(packed)} bytes; {size} bytes at most, and an even number")
        self._size = size
        self._exact = min(_EXACT, size // 2 - 1)
        self._fold = 17 - (8 * size).bit_length()
        """Bits between a position of the list and one of the bitmap."""
        self._bytes = bytearray(packed)
        """Two bytes per position, or one bit."""
        self._is_bitmap = len(packed) == size
        self._count = sum(byte.bit_count() for byte in packed) if self._is_bitmap else len(packed) // 2

    def __len__(self) -> int:
        return self._count

    def __contains__(self, position: int) -> bool:
        if not self._is_bitmap:
            return self._find(position) >= 0
        position >>= self._fold
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
            if self._count < self._exact:
                self._bytes.append(position & 0xFF)
                self._bytes.append(position >> 8)
                self._count += 1
                return True
            self._to_bitmap()
        return self._set(position)

    def _set(self, position: int) -> bool:
        place, bit = position >> self._fold + 3, 1 << (position >> self._fold & 7)
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
            position >>= self._fold
            self._bytes[position >> 3] &= 0xFF ^ (1 << (position & 7))
        else:
            place = self._find(position)
            del self._bytes[2 * place : 2 * place + 2]
        self._count -= 1
        return True

    def pack(self) -> bytes:
        """Return the bytes from which the constructor makes the set again: at most those of the bitmap."""
        return bytes(self._bytes)

    def _to_bitmap(self) -> None:
        positions = self._bytes
        self._bytes, self._is_bitmap, self._count = bytearray(self._size), True, 0
        for place in range(self._exact):
            self._set(positions[2 * place] | positions[2 * place + 1] << 8)
