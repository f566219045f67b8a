"""History of a user: the last control events, and the last changes of the values that readers serve.

It stands behind the row (`Row.tails`), so that users without a history have no bytes for it:

    bytes 0–3   event time of the last entry or renewal, in seconds
    bytes 4–7   number of entries and renewals so far
    byte  8     entries
    then        8 bytes per entry, oldest first: time in seconds, kind, and three numbers

Numbers are little-endian. Values are ranks (`NumberedCatalogue.slot_ranks`); 0: none. A value is served in general: in
a context, another one may be.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from state.catalogue.numbered import MAX_RANK, NumberedCatalogue
from state.events.observation import NONE
from state.row.layout import SCOPES, Part
from state.row.row import Row

MOST = 12
"""Limit of actions, and of changes."""

LEARNED, POPULATION, USER, PIN, UNPIN, GRANT, DENY, FORGET, FORGET_FACET = range(9)
"""Kinds of entries. The first three are changes, by the source of the new value; all others are actions.

Numbers of a change: facet, value before, value. Of a pin or its removal: facet, value, pinned value before. Of a
consent: scopes, a bit each, and their states before, two bits each. Of a forget of a facet: the facet.
"""

HEAD = Struct("<IIB")
ENTRY = Struct("<I4B")

_LAST_CHANGE, _MOST = USER, MOST
_MOST_S = 2**32 - 1
_NONE = NONE
_HEAD_BYTES, _ENTRY_BYTES = HEAD.size, ENTRY.size
_GRANT, _DENY, _FORGET, _FORGET_FACET = GRANT, DENY, FORGET, FORGET_FACET
_SCOPE_SETS, _STATE_SETS = 2**SCOPES, 4**SCOPES
_HISTORY, _UNWRITTEN = int(Part.HISTORY), int(Part.UNWRITTEN_HISTORY)


class Entry(NamedTuple):
    """An action or a change."""

    at_s: int
    kind: int
    first: int = 0
    second: int = 0
    third: int = 0

    @property
    def is_change(self) -> bool:
        """The entry is a change of a served value."""
        return self.kind <= USER

    @property
    def facet(self) -> int | None:
        """Facet of the entry; None for a consent and for a forget of everything."""
        return None if self.kind in {GRANT, DENY, FORGET} else self.first


class History:
    """History of the present user, by numbers."""

    def __init__(self, row: Row, catalogue: NumberedCatalogue) -> None:
        self._row = row
        self._ranks = catalogue.slot_ranks
        self._most_ranks = [min(len(slots), MAX_RANK) for slots in catalogue.ranked_slots]

    @property
    def entries(self) -> list[Entry]:
        """Entries, oldest first."""
        return [Entry(*numbers) for numbers in self.raw()]

    def raw(self) -> Iterator[tuple[int, ...]]:
        """Return the numbers of each entry, oldest first."""
        return ENTRY.iter_unpack(self._row.tails[self._row.at][_HEAD_BYTES:])

    @property
    def written(self) -> tuple[int, int]:
        """Event time of the last entry or renewal in seconds, and the number of entries and renewals so far."""
        tail = self._row.tails[self._row.at]
        if not tail:
            return 0, 0
        at_s, count, _ = HEAD.unpack_from(tail)
        return at_s, count

    # Entries

    def change(self, facet: int, before: int, slot: int, source: int) -> None:
        """Note that readers serve another value, unless the last change of the facet had the same value.

        Args:
            facet: the facet.
            before: slot of the value before; `NONE`: the default.
            slot: slot of the value, or `NONE`.
            source: `LEARNED`, `POPULATION` or `USER`.
        """
        earlier, rank = self._last(self._row.tails[self._row.at], facet), self._rank(slot)
        if earlier < 0:
            earlier = self._rank(before)
        if earlier != rank:
            self._add(Entry(self._now_s(), source, facet, earlier, rank))

    def _last(self, tail: bytes, facet: int) -> int:
        """Return the value of the last change of a facet; −1 without one."""
        at = len(tail) - _ENTRY_BYTES
        while at >= _HEAD_BYTES:
            if tail[at + 4] <= _LAST_CHANGE and tail[at + 5] == facet:
                return tail[at + 7]
            at -= _ENTRY_BYTES
        return -1

    def pin(self, facet: int, slot: int, before: int, at_ms: int) -> None:
        """Note a pin, or the removal of a pin with the slot `NONE`."""
        kind = UNPIN if slot == NONE else PIN
        self._add(Entry(_seconds(at_ms), kind, facet, self._rank(slot), self._rank(before)))

    def answer(self, scopes: Iterable[int], states: Sequence[int], granted: bool, at_ms: int) -> None:
        """Note an answer about scopes of consent, with the states of all scopes before."""
        mask = sum(1 << scope for scope in set(scopes))
        before = sum(state << 2 * scope for scope, state in enumerate(states))
        self._add(Entry(_seconds(at_ms), GRANT if granted else DENY, mask, before))

    def forget(self, at_ms: int) -> None:
        """Drop all entries, and note the forget."""
        self._put(*self.written, [])
        self._add(Entry(_seconds(at_ms), FORGET))

    def forget_facets(self, facets: Collection[int], at_ms: int) -> None:
        """Drop the entries of some facets, and note the forgets."""
        self._put(*self.written, [entry for entry in self.entries if entry.facet not in facets])
        for facet in facets:
            self._add(Entry(_seconds(at_ms), FORGET_FACET, facet))

    def drop_changes(self) -> None:
        """Drop the changes, which are learned."""
        if self._row.tails[self._row.at]:
            self._put(*self.written, [entry for entry in self.entries if not entry.is_change])

    def end_absence(self) -> None:
        """Drop the changes of a user who was absent, as if the actions alone had happened."""
        entries = [entry for entry in self.entries if not entry.is_change]
        if entries:
            self._put(entries[-1].at_s, len(entries), entries)
        else:
            self.clear()

    def clear(self) -> None:
        """Drop the whole history."""
        row, at = self._row, self._row.at
        row.tails[at] = b""
        row.parts[at] &= ~(_HISTORY | _UNWRITTEN)

    def renew(self, before_ms: int) -> None:
        """Let a history that was last written before that time be written again."""
        row = self._row
        tail = row.tails[row.at]
        if tail and 1000 * _first_number(tail) < before_ms:
            self._put(self._now_s(), self.written[1] + 1, self.entries)
            row.parts[row.at] |= _UNWRITTEN

    def take(self) -> bool:
        """Return whether the history waits to be written, and end the wait."""
        row, at = self._row, self._row.at
        if not row.parts[at] & _UNWRITTEN:
            return False
        row.parts[at] &= ~_UNWRITTEN
        return True

    def _add(self, entry: Entry) -> None:
        """Append an entry, in place of the oldest of its sort once there is no room."""
        row, at = self._row, self._row.at
        entries = row.tails[at][_HEAD_BYTES:]
        oldest = self._oldest(entries, entry.kind <= _LAST_CHANGE)
        if oldest >= 0:
            entries = entries[:oldest] + entries[oldest + _ENTRY_BYTES :]
        number = len(entries) // _ENTRY_BYTES + 1
        row.tails[at] = HEAD.pack(self._now_s(), self.written[1] + 1, number) + entries + ENTRY.pack(*entry)
        row.parts[at] |= _HISTORY | _UNWRITTEN

    def _oldest(self, entries: bytes, is_change: bool) -> int:
        """Return the byte of the oldest change, or action, of a full sort; −1 if there is room."""
        oldest, number = -1, 0
        for at in range(0, len(entries), _ENTRY_BYTES):
            if (entries[at + 4] <= _LAST_CHANGE) == is_change:
                number += 1
                if oldest < 0:
                    oldest = at
        return oldest if number >= _MOST else -1

    def _put(self, at_s: int, count: int, entries: Sequence[Entry]) -> None:
        row, at = self._row, self._row.at
        row.tails[at] = HEAD.pack(at_s, count, len(entries)) + b"".join([ENTRY.pack(*entry) for entry in entries])
        row.parts[at] |= _HISTORY

    def _now_s(self) -> int:
        return _seconds(self._row.newest_ms[self._row.at])

    def _rank(self, slot: int) -> int:
        return 0 if slot == _NONE else self._ranks[slot]

    # Bytes

    def load(self, tail: bytes) -> None:
        """Take in stored bytes; none for a user without a history.

        Raises:
            ValueError, struct.error: the bytes are damaged.
        """
        row, at = self._row, self._row.at
        row.tails[at] = tail
        if bool(row.parts[at] & _HISTORY) != bool(tail):
            raise ValueError(f"{len(tail)} bytes of history do not fit the parts of the row")
        if not tail:
            return
        _, _, number = HEAD.unpack_from(tail)
        if len(tail) != _HEAD_BYTES + number * ENTRY.size:
            raise ValueError(f"{len(tail)} bytes of history where {number} entries were expected")
        changes = self._changes(tail)
        if changes < 0 or max(changes, number - changes) > MOST:
            raise ValueError("history is out of its bounds")

    def _changes(self, tail: bytes) -> int:
        """Return the number of changes; −1 if a number of an entry is out of its bounds."""
        changes = 0
        for at in range(_HEAD_BYTES, len(tail), _ENTRY_BYTES):
            kind, first, second, third = tail[at + 4], tail[at + 5], tail[at + 6], tail[at + 7]
            changes += kind <= _LAST_CHANGE
            if kind in (_GRANT, _DENY):
                if not first or first >= _SCOPE_SETS or second >= _STATE_SETS or third:
                    return -1
            elif kind == _FORGET:
                if first or second or third:
                    return -1
            elif kind > _FORGET_FACET or first >= len(self._most_ranks) or max(second, third) > self._most_ranks[first]:
                return -1
        return changes


def _seconds(at_ms: int) -> int:
    return min(at_ms // 1000, _MOST_S)


def _first_number(tail: bytes) -> int:
    return int.from_bytes(tail[:4], "little")
