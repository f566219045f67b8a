"""Set of pseudonyms in little memory: 12 to 24 bytes per user, where a set of texts needs 130."""

from array import array

_FIRST_SIZE = 1 << 12
_MOST_FULL = 2 / 3
_ZERO = 2**64 - 1
"""Bits in place of 0, which marks a free place."""


class SeenUsers:
    """Set of users by 64 bits of the pseudonym, which is a keyed hash.

    Of a million users, two share these bits with a probability of 3 · 10⁻⁸. The bits are in an open-addressing table
    with linear probing (Knuth, *The Art of Computer Programming*, volume 3, 6.4), which doubles as it fills.

    >>> seen = SeenUsers()
    >>> seen.add("k1.19615f50f43e3144eda7c8637352faa3"), seen.add("k1.19615f50f43e3144eda7c8637352faa3")
    (True, False)
    """

    def __init__(self) -> None:
        self._table = array("Q", (0,)) * _FIRST_SIZE
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, pseudonym: str) -> bool:
        """Add a user by the pseudonym's text, and return whether the user is new."""
        bits = int(pseudonym.rpartition(".")[2][-16:], 16) or _ZERO
        place = self._place(bits)
        if self._table[place]:
            return False
        self._table[place] = bits
        self._count += 1
        if self._count > _MOST_FULL * len(self._table):
            self._double()
        return True

    def _place(self, bits: int) -> int:
        """Return the index of these bits, or of the free place where they belong."""
        table, last = self._table, len(self._table) - 1
        place = bits & last
        while table[place] and table[place] != bits:
            place = (place + 1) & last
        return place

    def _double(self) -> None:
        old, self._table = self._table, array("Q", (0,)) * (2 * len(self._table))
        for bits in old:
            if bits:
                self._table[self._place(bits)] = bits
