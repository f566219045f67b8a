"""A person's sessions: turns with pauses of less than 30 minutes between them, in whatever order they come.

A late turn may lengthen a session that seems over, or bridge the pause between two and make them one. So the sessions
that an event of the last day can still touch are kept beside the newest:

        24 h 30 min before the clock                                  clock
    ──────────────────┬─────────────────────────────────────────────────▲──
      ▒▒▒▒▒    ▒▒▒    │   ▒▒▒▒▒▒▒▒   ░   ▒▒▒▒▒▒▒         ▒▒▒▒▒▒▒▒▒▒▒▒▒▒
         dropped      │     kept     └ a late turn       the newest
                                       here joins them

Session windows that merge are those of Akidau et al., "The Dataflow Model", PVLDB 8(12), 2015.
"""

from array import array

from tacit.contract.signals import Session

SESSION_GAP_MS = 30 * 60_000
KEPT_MS = 24 * 60 * 60_000 + SESSION_GAP_MS
"""Older than this before the clock, a session is out of reach of what comes up to 24 h late."""
MAX_SESSIONS = KEPT_MS // SESSION_GAP_MS
"""As many fit into that time, each of a single turn and a gap apart."""

SESSION_ROW = 4
"""Numbers of a session: time of its first turn and of its last, turns, dislikes."""

_FIRST, _LAST, _TURNS, _DISLIKES = range(SESSION_ROW)


class Sessions:
    """The sessions of one person, a row each, oldest first.

    Exact for turns that come up to 24 h late, however many sessions they touch. Where more lateness is allowed, a
    turn that comes later than that does not join sessions that are no longer kept.
    """

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows = array("q")

    def __len__(self) -> int:
        return len(self.rows) // SESSION_ROW

    def add_turn(self, at_ms: int, clock_ms: int) -> None:
        """Count a turn in its session, or begin one; `clock_ms` is the newest event time of the person."""
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
        """Make one session of a late turn and of those that it touches: none, one, or the two around it."""
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
        """Drop what no turn of the last day can touch; the newest stays."""
        rows = self.rows
        while len(rows) > SESSION_ROW and rows[_LAST] <= clock_ms - KEPT_MS:
            del rows[:SESSION_ROW]

    def add_dislike(self, at_ms: int) -> None:
        """Count a dislike in the session that covers its time: from its first turn until a gap after its last.

        A session only grows, so what it covers stays its own. What no session covers when it comes counts nowhere.
        """
        rows = self.rows
        for row in range(len(rows) - SESSION_ROW, -1, -SESSION_ROW):
            if rows[row + _FIRST] <= at_ms:
                if at_ms < rows[row + _LAST] + SESSION_GAP_MS:
                    rows[row + _DISLIKES] += 1
                return

    def newest(self) -> Session:
        """Return the session with the newest turn; its share of dislikes is 1 at most, however many come."""
        if not self.rows:
            return Session(0, 0, 0.0)
        started_ms, _, turns, dislikes = self.rows[-SESSION_ROW:]
        return Session(started_ms, turns, round(min(1.0, dislikes / turns), 3))

    def copy(self) -> "Sessions":
        """Return the sessions as they are now."""
        twin = Sessions.__new__(Sessions)
        twin.rows = self.rows[:]
        return twin
