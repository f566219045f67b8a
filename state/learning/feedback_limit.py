"""Limits on the feedback of one user of a shard that reaches the population, in bounded memory.

Counts are kept in a count-min sketch (Cormode, Muthukrishnan, J. Algorithms 55(1), 2005), by user and hour, and by user
and week of event time. The counts survive a forget, as otherwise a user could forget and begin again. A sketch holds no
user: each of its cells is shared.
"""

from array import array

HOUR_MS = 3_600_000
PER_HOUR = 200
PER_WEEK = 2_000
CELLS = 4_096
"""Cells in each of the two rows of the sketches of all shards."""
LEAST_CELLS = 64
CAPACITY_PER_CELL = 8
"""Counts of a sketch per cell and hour's limit; then the older of two generations ends."""

_MASK = 0xFFFFFFFFFFFFFFFF
_ODD, _OTHER_ODD = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9


class _Sketch:
    """Counts of the last `capacity` to 2 · `capacity` additions; collisions count too much, never too little."""

    def __init__(self, size: int, capacity: int, packed: tuple[int, bytes] = (0, b"")) -> None:
        self._size = size
        """Cells of a row."""
        self._capacity = capacity
        self.added, cells = packed
        self.cells = array("H", cells or bytes(2 * 4 * size))
        """Two rows of the current generation, then two of the one before."""

    def count(self, mixed: int) -> int:
        one, other = mixed % self._size, self._size + (mixed >> 16) % self._size
        older = 2 * self._size
        return min(
            self.cells[one] + self.cells[older + one],
            self.cells[other] + self.cells[older + other],
        )

    def raise_to(self, mixed: int, count: int) -> None:
        """Let `count(mixed)` return no less than a count."""
        one, other = mixed % self._size, self._size + (mixed >> 16) % self._size
        self.cells[one] = max(self.cells[one], min(count, 0xFFFF))
        self.cells[other] = max(self.cells[other], min(count, 0xFFFF))

    def add(self, mixed: int) -> None:
        if self.added >= self._capacity:
            self.cells = array("H", bytes(2 * 2 * self._size)) + array("H", self.cells[: 2 * self._size])
            self.added = 0
        self.added += 1
        one, other = mixed % self._size, self._size + (mixed >> 16) % self._size
        self.cells[one] = min(self.cells[one] + 1, 0xFFFF)
        self.cells[other] = min(self.cells[other] + 1, 0xFFFF)


Packed = tuple[tuple[int, bytes], tuple[int, bytes]]


class FeedbackLimit:
    """At most `PER_HOUR` feedback of a user per hour, and `PER_WEEK` per week.

    >>> limit = FeedbackLimit()
    >>> sum(limit.takes(b"user", 1_000_000 + n) for n in range(5_000))
    200
    >>> limit.takes(b"other", 1_000_000)
    True
    """

    def __init__(self, packed: Packed = ((0, b""), (0, b"")), shards: int = 1) -> None:
        """Begin, or continue, in a shard; all shards together have the cells of one."""
        size = max(LEAST_CELLS, CELLS // shards)
        capacity = CAPACITY_PER_CELL * size
        self._hours = _Sketch(size, capacity, packed[0])
        self._weeks = _Sketch(size, capacity * PER_WEEK // PER_HOUR, packed[1])

    def takes(self, user: bytes, at_ms: int) -> bool:
        """Return whether feedback of a user's pseudonym is within the limits, and count it then."""
        hour, hashed = at_ms // HOUR_MS, last_bits(user)
        in_hour, in_week = _mixed(hashed, hour & _MASK), _mixed(hashed, (-1 - hour // (7 * 24)) & _MASK)
        if self._hours.count(in_hour) >= PER_HOUR or self._weeks.count(in_week) >= PER_WEEK:
            return False
        self._hours.add(in_hour)
        self._weeks.add(in_week)
        return True

    def carry(self, earlier: "FeedbackLimit", user: bytes, first_ms: int, last_ms: int) -> None:
        """Count no less for a user than another limit, in the hours and weeks from `first_ms` to `last_ms`."""
        hashed = last_bits(user)
        for hour in range(first_ms // HOUR_MS, last_ms // HOUR_MS + 1):
            mixed = _mixed(hashed, hour & _MASK)
            self._hours.raise_to(mixed, earlier._hours.count(mixed))
        for week in range(first_ms // (7 * 24 * HOUR_MS), last_ms // (7 * 24 * HOUR_MS) + 1):
            mixed = _mixed(hashed, (-1 - week) & _MASK)
            self._weeks.raise_to(mixed, earlier._weeks.count(mixed))

    def pack(self) -> Packed:
        """Return the counts, in 64 KiB over all shards."""
        hours, weeks = self._hours, self._weeks
        return (hours.added, bytes(hours.cells)), (weeks.added, bytes(weeks.cells))


def last_bits(user: bytes) -> int:
    """Return the last 64 bits of a pseudonym, which is a keyed hash already."""
    return int.from_bytes(user[max(0, len(user) - 8) :], "little")


def _mixed(user: int, window: int) -> int:
    """Return 32 bits, for the cells of a user and a window, from 64-bit numbers."""
    return (((user * _ODD + window * _OTHER_ODD & _MASK) * _ODD) & _MASK) >> 32
