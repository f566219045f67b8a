"""Activity of a user in event time: sliding counts over shared panes, sessions, hours of day, topics.

Sliding windows are sums of panes (Li et al., "No pane, no gain", SIGMOD Record 34(1), 2005): an event adds 1 to a
pane of each ring, and the sum of a ring is the count of a window. The clock is the user's newest event time.

     older ─────────────────────────────► newest
     ring of 12:  │ 5 min │ 5 min │ … │ 5 min │        1 h
     ring of 24:  │   1 h │   1 h │ … │   1 h │        24 h
     ring of  7:  │   1 d │   1 d │ … │   1 d │        7 d

All parts have a fixed size. The clock empties passed panes.
"""

import math
from array import array
from collections.abc import Collection, Sequence
from itertools import accumulate

from state.events.observation import NONE
from state.row.layout import MAX_TOPICS_KEPT, PANES, Part
from state.row.row import Row
from state.user.sessions import Sessions
from tacit.contract.activity import DAY_MS, HOUR_MS, MINUTE_MS, WINDOWS, Activity
from tacit.contract.signals import Profile

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "PANE_MS", "Windows"]

PANE_MS = WINDOWS[0].panes.width_ms
"""Width of the narrowest pane: profiles are emitted once in each."""

HOURS_KEPT_PER_DAY = 0.977
"""Hour-of-day counts halve in 30 days: 0.5 ** (1 / 30)."""
TOPICS_KEPT_PER_DAY = 0.906
"""Topic weights halve in 7 days: 0.5 ** (1 / 7)."""
TOPICS_SHOWN = 5

_MAX_PER_PANE = 65_535
_NO_TOPIC = 65_535

_SIZES = array("q", [window.panes.number for window in WINDOWS])
"""Ring → panes."""
_FIRST = array("q", accumulate(_SIZES, initial=0))
"""Ring → place of its first pane."""
_WIDTHS_MS = array("q", [window.panes.width_ms for window in WINDOWS])
"""Ring → width of a pane; widths are multiples of each other."""
_RINGS = len(WINDOWS)

_DAY_MS, _HOUR_MS, _NONE, _PANES, _TOPICS, _PART = DAY_MS, HOUR_MS, NONE, PANES, MAX_TOPICS_KEPT, int(Part.WINDOWS)
_HOURS_KEPT, _TOPICS_KEPT = HOURS_KEPT_PER_DAY, TOPICS_KEPT_PER_DAY


class Windows:
    """The windows of a user; the state that owns them passes the clock, `newest_ms`."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.sessions = Sessions(row)

    def begin(self) -> None:
        """Begin with empty windows."""
        self.clear()
        row, at = self._row, self._row.at
        row.parts[at] |= _PART
        for slot in range(_TOPICS):
            row.topic_ids[at, slot] = _NO_TOPIC

    def clear(self) -> None:
        """Drop the windows."""
        row, at = self._row, self._row.at
        row.parts[at] &= ~_PART
        for pane in range(_PANES):
            row.panes[at, pane] = 0
        for hour in range(24):
            row.hours[at, hour] = 0.0
        for slot in range(_TOPICS):
            row.topic_ids[at, slot], row.topic_weights[at, slot] = 0, 0.0
        self.sessions.clear()

    def observe(
        self, before_ms: int, newest_ms: int, at_ms: int, is_new_turn: bool, topic: int, disliked: bool
    ) -> None:
        """Take in an interaction: move the clock, count a new turn with a topic or `NONE`, and count a dislike."""
        if newest_ms > before_ms:
            self.advance(before_ms, newest_ms)
        if is_new_turn:
            self._add_turn(at_ms, newest_ms, topic)
        if is_new_turn or disliked:
            self.sessions.observe(at_ms, newest_ms, is_new_turn, disliked)

    def advance(self, before_ms: int, newest_ms: int) -> None:
        """Move the clock from `before_ms` to `newest_ms`: empty the passed panes, and discount."""
        row, at = self._row, self._row.at
        for ring in range(_RINGS):
            old, new, size = before_ms // _WIDTHS_MS[ring], newest_ms // _WIDTHS_MS[ring], _SIZES[ring]
            if new == old:
                break  # no wider pane has ended either
            for pane in range(max(old + 1, new - size + 1), new + 1):
                row.panes[at, _FIRST[ring] + pane % size] = 0
        days = newest_ms // _DAY_MS - before_ms // _DAY_MS
        if days:
            self._discount(days)
            self.sessions.free(newest_ms)

    def _discount(self, days: int) -> None:
        row, at = self._row, self._row.at
        hours_kept, topics_kept = _HOURS_KEPT**days, _TOPICS_KEPT**days
        for hour in range(24):
            row.hours[at, hour] = float(row.hours[at, hour]) * hours_kept
        for slot in range(_TOPICS):
            row.topic_weights[at, slot] = float(row.topic_weights[at, slot]) * topics_kept

    def _add_turn(self, at_ms: int, newest_ms: int, topic: int) -> None:
        """Count a turn at `at_ms`, which is not after the clock `newest_ms`."""
        row, at = self._row, self._row.at
        for ring in range(_RINGS):
            pane, size = at_ms // _WIDTHS_MS[ring], _SIZES[ring]
            if newest_ms // _WIDTHS_MS[ring] - pane < size:
                place = _FIRST[ring] + pane % size
                if row.panes[at, place] < _MAX_PER_PANE:
                    row.panes[at, place] += 1
        days_ago = newest_ms // _DAY_MS - at_ms // _DAY_MS
        hour = at_ms // _HOUR_MS % 24
        row.hours[at, hour] = float(row.hours[at, hour]) + (_HOURS_KEPT**days_ago if days_ago else 1.0)
        if topic != _NONE:
            self._add_topic(topic, _TOPICS_KEPT**days_ago if days_ago else 1.0)

    def _add_topic(self, topic: int, weight: float) -> None:
        """Add to the weight of a topic; a new topic takes the place of the lightest one."""
        row, at = self._row, self._row.at
        lightest = 0
        for slot in range(_TOPICS):
            if row.topic_ids[at, slot] == topic:
                row.topic_weights[at, slot] = float(row.topic_weights[at, slot]) + weight
                return
            if float(row.topic_weights[at, slot]) < float(row.topic_weights[at, lightest]):
                lightest = slot
        row.topic_ids[at, lightest], row.topic_weights[at, lightest] = topic, weight

    def drop(self, topics: Collection[int]) -> None:
        """Drop the weights of some topics."""
        row, at = self._row, self._row.at
        for slot in range(_TOPICS):
            if row.topic_ids[at, slot] in topics:
                row.topic_ids[at, slot], row.topic_weights[at, slot] = _NO_TOPIC, 0.0

    def profile(self, version: str, at_ms: int, topic_names: Sequence[str | None]) -> Profile:
        """Return the windows as a profile; topics with the name None are left out."""
        return Profile(
            v=version,
            activity=Activity(*[self._count(ring) for ring in range(_RINGS)]),
            topics=self._top_topics(topic_names),
            session=self.sessions.newest(),
            hours=self._rounded_hours(),
            at=at_ms,
        )

    def _count(self, ring: int) -> int:
        """Return the count of a window: the sum of its panes."""
        row, at = self._row, self._row.at
        count = 0
        for place in range(_FIRST[ring], _FIRST[ring] + _SIZES[ring]):
            count += row.panes[at, place]
        return count

    def _rounded_hours(self) -> tuple[float, ...]:
        row, at = self._row, self._row.at
        return tuple([rounded(float(row.hours[at, hour])) for hour in range(24)])

    def _top_topics(self, topic_names: Sequence[str | None]) -> tuple[tuple[str, float], ...]:
        row, at = self._row, self._row.at
        kept = [
            (-float(row.topic_weights[at, slot]), row.topic_ids[at, slot])
            for slot in range(_TOPICS)
            if float(row.topic_weights[at, slot]) > 0.0
        ]
        kept.sort()
        named = [(name, -minus) for minus, i in kept if (name := topic_names[i]) is not None]
        total = math.fsum([weight for _, weight in named])
        return tuple([(name, round(weight / total, 3)) for name, weight in named[:TOPICS_SHOWN]])

    @property
    def panes(self) -> list[int]:
        """Panes of all rings."""
        found: list[int] = self._row.numbers("panes")
        return found

    @property
    def hours(self) -> list[float]:
        """Hour of day → weight."""
        found: list[float] = self._row.numbers("hours")
        return found

    @property
    def topic_ids(self) -> list[int]:
        """Topics that have a weight, and 65,535 in the places of others."""
        found: list[int] = self._row.numbers("topic_ids")
        return found

    @property
    def topic_weights(self) -> list[float]:
        """Weights of `topic_ids`."""
        found: list[float] = self._row.numbers("topic_weights")
        return found


def rounded(count: float) -> float:
    """Return `round(count, 2)` of a number of 32 bits, at a tenth of the cost.

    A product of 32 bits and 100 is exact in 64 bits, and so is its fraction.

    >>> rounded(0.125), rounded(0.375), rounded(7.0)
    (0.12, 0.38, 7.0)
    """
    hundredths = count * 100
    whole = math.floor(hundredths)
    fraction = hundredths - whole
    if fraction > 0.5 or (fraction == 0.5 and whole % 2):
        whole += 1
    return whole / 100
