"""Activity of a user in event time: sliding counts over shared panes, sessions, hours of day, topics.

Sliding windows are sums of panes (Li et al., "No pane, no gain", SIGMOD Record 34(1), 2005): an event adds 1 to a
pane of each ring, and the sum of a ring is the count of a window. The clock is the user's newest event time.

     older ─────────────────────────────► newest
     ring of 12:  │ 5 min │ 5 min │ … │ 5 min │        1 h
     ring of 24:  │   1 h │   1 h │ … │   1 h │        24 h
     ring of  7:  │   1 d │   1 d │ … │   1 d │        7 d

All parts have a fixed size or, of sessions, a fixed maximum. The clock empties passed panes.
"""

from array import array
from collections.abc import Collection, Sequence
from itertools import accumulate
from math import fsum
from typing import NamedTuple

from state.user.sessions import Sessions
from tacit.contract.activity import DAY_MS, HOUR_MS, MINUTE_MS, WINDOWS, Activity
from tacit.contract.signals import Profile

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "PANES", "PANE_MS", "Windows"]


class Ring(NamedTuple):
    """Panes of a width in the array of counts."""

    width_ms: int
    first: int
    panes: int


_FIRST_PANES = tuple(accumulate((window.panes.number for window in WINDOWS), initial=0))
RINGS = tuple(Ring(w.panes.width_ms, first, w.panes.number) for w, first in zip(WINDOWS, _FIRST_PANES, strict=False))
PANES = _FIRST_PANES[-1]
PANE_MS = RINGS[0].width_ms
"""Width of the narrowest pane: profiles are emitted once in each."""

HOURS_KEPT_PER_DAY = 0.977
"""Hour-of-day counts halve in 30 days: 0.5 ** (1 / 30)."""
TOPICS_KEPT_PER_DAY = 0.906
"""Topic weights halve in 7 days: 0.5 ** (1 / 7)."""
MAX_TOPICS_KEPT = 8
TOPICS_SHOWN = 5

_MAX_PER_PANE = 65_535
_NO_TOPIC = 65_535


class Windows:
    """The windows of a user; the state that owns them passes the clock, `newest_ms`."""

    __slots__ = ("hours", "panes", "sessions", "topic_ids", "topic_weights")

    def __init__(self) -> None:
        self.panes = array("H", bytes(2 * PANES))
        self.hours = array("f", bytes(4 * 24))
        self.topic_ids = array("H", [_NO_TOPIC] * MAX_TOPICS_KEPT)
        self.topic_weights = array("f", bytes(4 * MAX_TOPICS_KEPT))
        self.sessions = Sessions()

    def observe(
        self, before_ms: int, newest_ms: int, at_ms: int, is_new_turn: bool, topic: int | None, disliked: bool
    ) -> None:
        """Take in an interaction: move the clock, count a new turn with a topic, and count a dislike."""
        if newest_ms > before_ms:
            self.advance(before_ms, newest_ms)
        if is_new_turn:
            self._add_turn(at_ms, newest_ms, topic)
        if is_new_turn or disliked:
            self.sessions.observe(at_ms, newest_ms, is_new_turn, disliked)

    def advance(self, before_ms: int, newest_ms: int) -> None:
        """Move the clock from `before_ms` to `newest_ms`: empty the passed panes, and discount."""
        for width_ms, first, size in RINGS:
            old, new = before_ms // width_ms, newest_ms // width_ms
            if new == old:
                break  # widths are multiples of each other: no wider pane has ended either
            for pane in range(max(old + 1, new - size + 1), new + 1):
                self.panes[first + pane % size] = 0
        days = newest_ms // DAY_MS - before_ms // DAY_MS
        if days:
            _discount(self.hours, HOURS_KEPT_PER_DAY**days)
            _discount(self.topic_weights, TOPICS_KEPT_PER_DAY**days)
            self.sessions.free(newest_ms)

    def _add_turn(self, at_ms: int, newest_ms: int, topic: int | None) -> None:
        """Count a turn at `at_ms`, which is not after the clock `newest_ms`."""
        for width_ms, first, size in RINGS:
            pane = at_ms // width_ms
            if newest_ms // width_ms - pane < size:
                index = first + pane % size
                if self.panes[index] < _MAX_PER_PANE:
                    self.panes[index] += 1
        days_ago = newest_ms // DAY_MS - at_ms // DAY_MS
        self.hours[at_ms // HOUR_MS % 24] += HOURS_KEPT_PER_DAY**days_ago if days_ago else 1.0
        if topic is not None:
            self._add_topic(topic, TOPICS_KEPT_PER_DAY**days_ago)

    def _add_topic(self, topic: int, weight: float) -> None:
        ids, weights = self.topic_ids, self.topic_weights
        try:
            slot = ids.index(topic)
        except ValueError:
            slot = weights.index(min(weights))  # the lightest makes room
            ids[slot], weights[slot] = topic, 0.0
        weights[slot] += weight

    def drop(self, topics: Collection[int]) -> None:
        """Drop the weights of some topics."""
        for slot, topic in enumerate(self.topic_ids):
            if topic in topics:
                self.topic_ids[slot], self.topic_weights[slot] = _NO_TOPIC, 0.0

    def copy(self) -> "Windows":
        """Return the current windows, to be read later."""
        twin = Windows.__new__(Windows)
        twin.panes, twin.hours = self.panes[:], self.hours[:]
        twin.topic_ids, twin.topic_weights = self.topic_ids[:], self.topic_weights[:]
        twin.sessions = self.sessions.copy()
        return twin

    def profile(self, version: str, at_ms: int, topic_names: Sequence[str | None]) -> Profile:
        """Return the windows as a profile; topics with the name None are left out."""
        return Profile(
            v=version,
            activity=Activity(*[sum(self.panes[first : first + size]) for _, first, size in RINGS]),
            topics=self._top_topics(topic_names),
            session=self.sessions.newest(),
            hours=tuple([round(count, 2) if count else 0.0 for count in self.hours]),
            at=at_ms,
        )

    def _top_topics(self, topic_names: Sequence[str | None]) -> tuple[tuple[str, float], ...]:
        kept = [(-w, i) for w, i in zip(self.topic_weights, self.topic_ids, strict=True) if w > 0]
        kept.sort()
        named = [(name, -minus) for minus, i in kept if (name := topic_names[i]) is not None]
        total = fsum([weight for _, weight in named])
        return tuple([(name, round(weight / total, 3)) for name, weight in named[:TOPICS_SHOWN]])


def _discount(values: "array[float]", factor: float) -> None:
    for index, value in enumerate(values):
        values[index] = value * factor
