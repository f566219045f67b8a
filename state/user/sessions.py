"""Sessions of a user: turns with gaps of less than 30 minutes, in any order of arrival.

A late turn may lengthen an earlier session, or bridge the gap between two sessions and join both. So the newest session
is kept, and the last sessions that an event of the last day can still touch, `MAX_SESSIONS` at most:

        24 h 30 min before the clock                                  clock
    ──────────────────┬─────────────────────────────────────────────────▲──
      ▒▒▒▒▒    ▒▒▒    │   ▒▒▒▒▒▒▒▒   ░   ▒▒▒▒▒▒▒         ▒▒▒▒▒▒▒▒▒▒▒▒▒▒
         dropped      │     kept     └ a late turn       the newest
                                       here joins them

Session windows that merge: Akidau et al., "The Dataflow Model", PVLDB 8(12), 2015.
"""

from state.row.layout import MAX_SESSIONS
from state.row.row import Row
from tacit.contract.signals import Session

SESSION_GAP_MS = 30 * 60_000
KEPT_MS = 24 * 60 * 60_000 + SESSION_GAP_MS
"""Age, by the last turn, from which no event up to 24 h late touches a session."""

MAX_COUNT = 65_535
"""Largest count of turns, and of dislikes, of a session."""

_GAP_MS, _KEPT_MS, _MAX_SESSIONS, _MAX_COUNT = SESSION_GAP_MS, KEPT_MS, MAX_SESSIONS, MAX_COUNT


class Sessions:
    """The sessions of a user, oldest first: times of the first and of the last turn, turns, dislikes.

    Exact for turns up to 24 h late that find their session among those kept. A later turn does not join a session that
    was dropped.
    """

    def __init__(self, row: Row) -> None:
        self._row = row

    def __len__(self) -> int:
        return self._row.session_count[self._row.at]

    def observe(self, at_ms: int, clock_ms: int, is_turn: bool, disliked: bool) -> None:
        """Count a turn, a dislike, or both; `clock_ms` is the user's newest event time."""
        if is_turn:
            self.add_turn(at_ms, clock_ms)
        if disliked:
            self.add_dislike(at_ms)

    def add_turn(self, at_ms: int, clock_ms: int) -> None:
        """Count a turn in an existing or a new session."""
        row, at = self._row, self._row.at
        newest = row.session_count[at] - 1
        if newest < 0 or at_ms >= row.session_last_ms[at, newest] + _GAP_MS:
            self._open(newest + 1, at_ms)
            self.free(clock_ms)
        elif at_ms >= row.session_first_ms[at, newest]:
            if row.session_turns[at, newest] < _MAX_COUNT:
                row.session_turns[at, newest] += 1
            row.session_last_ms[at, newest] = max(at_ms, row.session_last_ms[at, newest])
        else:
            self._add_late(at_ms)
            self.free(clock_ms)

    def _add_late(self, at_ms: int) -> None:
        """Join a late turn and the sessions in reach (up to two) into a single session."""
        row, at = self._row, self._row.at
        end = row.session_count[at]
        while end > 0 and row.session_first_ms[at, end - 1] - at_ms >= _GAP_MS:
            end -= 1
        begin = end
        while begin > 0 and at_ms - row.session_last_ms[at, begin - 1] < _GAP_MS:
            begin -= 1
        if begin == end:
            self._open(begin, at_ms)
        else:
            self._merge(begin, end, at_ms)

    def _open(self, place: int, at_ms: int) -> None:
        """Open a session at a place; the oldest session makes room where there are too many."""
        row, at = self._row, self._row.at
        count = row.session_count[at]
        if count < _MAX_SESSIONS:
            for later in range(count, place, -1):
                self._copy(later - 1, later)
            row.session_count[at] = count + 1
        elif place == 0:
            return  # the new session is the oldest
        else:
            place -= 1
            for earlier in range(place):
                self._copy(earlier + 1, earlier)
        self._put(place, at_ms, at_ms, 1, 0)

    def _merge(self, begin: int, end: int, at_ms: int) -> None:
        """Join a turn and the sessions from `begin` up to `end`."""
        row, at = self._row, self._row.at
        first_ms, last_ms, turns, dislikes = at_ms, at_ms, 1, 0
        for place in range(begin, end):
            first_ms = min(first_ms, row.session_first_ms[at, place])
            last_ms = max(last_ms, row.session_last_ms[at, place])
            turns += row.session_turns[at, place]
            dislikes += row.session_dislikes[at, place]
        self._put(begin, first_ms, last_ms, min(turns, _MAX_COUNT), min(dislikes, _MAX_COUNT))
        self._remove(begin + 1, end)

    def free(self, clock_ms: int) -> None:
        """Drop the sessions that no turn of the last day can touch; the newest stays."""
        row, at = self._row, self._row.at
        dropped = 0
        while dropped + 1 < row.session_count[at] and row.session_last_ms[at, dropped] <= clock_ms - _KEPT_MS:
            dropped += 1
        self._remove(0, dropped)

    def add_dislike(self, at_ms: int) -> None:
        """Count a dislike in the session that covers the time: from the first turn until a gap after the last.

        Without such a session the dislike is not counted.
        """
        row, at = self._row, self._row.at
        place = row.session_count[at] - 1
        while place >= 0 and row.session_first_ms[at, place] > at_ms:
            place -= 1
        if place < 0 or at_ms >= row.session_last_ms[at, place] + _GAP_MS:
            return
        if row.session_dislikes[at, place] < _MAX_COUNT:
            row.session_dislikes[at, place] += 1

    def clear(self) -> None:
        """Drop all sessions."""
        self._remove(0, self._row.session_count[self._row.at])

    def newest(self) -> Session:
        """Return the session with the newest turn; the share of dislikes is 1 at most."""
        row, at = self._row, self._row.at
        place = row.session_count[at] - 1
        if place < 0:
            return Session(0, 0, 0.0)
        turns, dislikes = row.session_turns[at, place], row.session_dislikes[at, place]
        return Session(row.session_first_ms[at, place], turns, round(min(1.0, dislikes / turns), 3))

    @property
    def rows(self) -> list[tuple[int, int, int, int]]:
        """Times of the first and of the last turn, turns and dislikes of each session, oldest first."""
        row, at = self._row, self._row.at
        return [
            (
                row.session_first_ms[at, place],
                row.session_last_ms[at, place],
                row.session_turns[at, place],
                row.session_dislikes[at, place],
            )
            for place in range(row.session_count[at])
        ]

    def _remove(self, begin: int, end: int) -> None:
        """Remove the sessions from `begin` up to `end`."""
        row, at = self._row, self._row.at
        if begin == end:
            return
        count = row.session_count[at]
        for place in range(end, count):
            self._copy(place, place - end + begin)
        for place in range(count - end + begin, count):
            self._put(place, 0, 0, 0, 0)
        row.session_count[at] = count - end + begin

    def _copy(self, source: int, place: int) -> None:
        row, at = self._row, self._row.at
        row.session_first_ms[at, place] = row.session_first_ms[at, source]
        row.session_last_ms[at, place] = row.session_last_ms[at, source]
        row.session_turns[at, place] = row.session_turns[at, source]
        row.session_dislikes[at, place] = row.session_dislikes[at, source]

    def _put(self, place: int, first_ms: int, last_ms: int, turns: int, dislikes: int) -> None:
        row, at = self._row, self._row.at
        row.session_first_ms[at, place], row.session_last_ms[at, place] = first_ms, last_ms
        row.session_turns[at, place], row.session_dislikes[at, place] = turns, dislikes
