"""Sessions of a user: turns with gaps of less than 30 minutes, in any order of arrival.

A late turn may lengthen an earlier session, or bridge the gap between two sessions and join both. So the newest session
is kept, and all sessions that an event of the last day can still touch:

        24 h 30 min before the clock                                  clock
    ──────────────────┬─────────────────────────────────────────────────▲──
      ▒▒▒▒▒    ▒▒▒    │   ▒▒▒▒▒▒▒▒   ░   ▒▒▒▒▒▒▒         ▒▒▒▒▒▒▒▒▒▒▒▒▒▒
         dropped      │     kept     └ a late turn       the newest
                                       here joins them

Session windows that merge: Akidau et al., "The Dataflow Model", PVLDB 8(12), 2015.
"""

from array import array

from tacit.contract.signals import Session

SESSION_GAP_MS = 30 * 60_000
KEPT_MS = 24 * 60 * 60_000 + SESSION_GAP_MS
"""Age, by the last turn, from which no event up to 24 h late touches a session."""
MAX_SESSIONS = KEPT_MS // SESSION_GAP_MS
"""Largest number of sessions in that time: one turn each, a gap apart."""

SESSION_ROW = 4
"""Numbers of a session: time of the first turn, time of the last turn, turns, dislikes."""

_FIRST, _LAST, _TURNS, _DISLIKES = range(SESSION_ROW)


class Sessions:
    """The sessions of a user, a row each, oldest first.

    Exact for turns up to 24 h late. If a deployment allows more lateness, a later turn does not join sessions
    that were dropped.
    """

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows = array("q")

    def __len__(self) -> int:
        return len(self.rows) // SESSION_ROW

    def observe(self, at_ms: int, clock_ms: int, is_turn: bool, disliked: bool) -> None:
        """Count a turn, a dislike, or both; `clock_ms` is the user's newest event time."""
        if is_turn:
            self.add_turn(at_ms, clock_ms)
        if disliked:
            self.add_dislike(at_ms)

    def add_turn(self, at_ms: int, clock_ms: int) -> None:
        """Count a turn in an existing or a new session."""
        rows = self.rows  # the last four numbers are the newest session's
        if not rows or at_ms >= rows[-3] + SESSION_GAP_MS:
            rows.fromlist([at_ms, at_ms, 1, 0])
            self.free(clock_ms)
        elif at_ms >= rows[-4]:
            rows[-2] += 1
            if at_ms > rows[-3]:
                rows[-3] = at_ms
        else:
            self._merge(at_ms)
            self.free(clock_ms)

    def _merge(self, at_ms: int) -> None:
        """Join a late turn and the sessions in reach (up to two) into a single session."""
        rows = self.rows
        end = len(rows)
        while end and rows[end - SESSION_ROW] - at_ms >= SESSION_GAP_MS:
            end -= SESSION_ROW
        begin = end
        while begin and at_ms - rows[begin - SESSION_ROW + _LAST] < SESSION_GAP_MS:
            begin -= SESSION_ROW
        near = rows[begin:end]
        times = (at_ms, *near[_FIRST::SESSION_ROW], *near[_LAST::SESSION_ROW])
        turns, dislikes = 1 + sum(near[_TURNS::SESSION_ROW]), sum(near[_DISLIKES::SESSION_ROW])
        rows[begin:end] = array("q", (min(times), max(times), turns, dislikes))

    def free(self, clock_ms: int) -> None:
        """Drop the sessions that no turn of the last day can touch; the newest stays."""
        rows = self.rows
        while len(rows) > SESSION_ROW and rows[_LAST] <= clock_ms - KEPT_MS:
            del rows[:SESSION_ROW]

    def add_dislike(self, at_ms: int) -> None:
        """Count a dislike in the session that covers the time: from the first turn until a gap after the last.

        Without such a session the dislike is not counted.
        """
        rows = self.rows
        for row in range(len(rows) - SESSION_ROW, -1, -SESSION_ROW):
            if rows[row + _FIRST] <= at_ms:
                if at_ms < rows[row + _LAST] + SESSION_GAP_MS:
                    rows[row + _DISLIKES] += 1
                return

    def newest(self) -> Session:
        """Return the session with the newest turn; the share of dislikes is 1 at most."""
        if not self.rows:
            return Session(0, 0, 0.0)
        started_ms, _, turns, dislikes = self.rows[-SESSION_ROW:]
        return Session(started_ms, turns, round(min(1.0, dislikes / turns), 3))

    def copy(self) -> "Sessions":
        """Return an independent copy."""
        twin = Sessions.__new__(Sessions)
        twin.rows = self.rows[:]
        return twin
