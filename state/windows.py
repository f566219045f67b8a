"""A person's activity in event time: sliding counts over shared panes, the session, hours of day, topics.

Sliding windows are sums of panes (Li et al., "No pane, no gain", SIGMOD Record 34(1), 2005): an event adds one to one
pane of each ring, and a window is read by adding up its ring. The clock is the newest event time this person has had.

     older ─────────────────────────────► newest
     ring of 12:  │ 5 min │ 5 min │ … │ 5 min │        1 h
     ring of 24:  │   1 h │   1 h │ … │   1 h │        24 h
     ring of  7:  │   1 d │   1 d │ … │   1 d │        7 d

Everything here has a fixed size; what falls out of a ring is gone as the clock moves on.
"""

from array import array
from typing import NamedTuple

from state.signals import Activity, Profile, Session

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
PANE_MS = 5 * MINUTE_MS
SESSION_GAP_MS = 30 * MINUTE_MS


class Ring(NamedTuple):
    """Panes of one width in the array of counts."""

    width_ms: int
    first: int
    panes: int


HOUR_RING = Ring(PANE_MS, 0, 12)
DAY_RING = Ring(HOUR_MS, 12, 24)
WEEK_RING = Ring(DAY_MS, 36, 7)
RINGS = (HOUR_RING, DAY_RING, WEEK_RING)
PANES = sum(ring.panes for ring in RINGS)

HOURS_KEPT_PER_DAY = 0.977
"""Hour-of-day counts halve in 30 days: 0.5 ** (1 / 30)."""
TOPICS_KEPT_PER_DAY = 0.906
"""Topic weights halve in 7 days: 0.5 ** (1 / 7)."""
MAX_TOPICS_KEPT = 8
TOPICS_SHOWN = 5

_MOST_PER_PANE = 65_535
_NO_TOPIC = 65_535


class Windows:
    """The windows of one person; `newest_ms` is their clock, and is given by the state that owns them."""

    __slots__ = ("hours", "panes", "session_last_ms", "session_negatives", "session_started_ms",
                 "session_turns", "topic_ids", "topic_weights")  # fmt: skip

    def __init__(self) -> None:
        self.panes = array("H", bytes(2 * PANES))
        self.hours = array("f", bytes(4 * 24))
        self.topic_ids = array("H", [_NO_TOPIC] * MAX_TOPICS_KEPT)
        self.topic_weights = array("f", bytes(4 * MAX_TOPICS_KEPT))
        self.session_started_ms = 0
        self.session_last_ms = 0
        self.session_turns = 0
        self.session_negatives = 0

    def advance(self, before_ms: int, newest_ms: int) -> None:
        """Move the clock on from `before_ms`: empty the panes that the rings have passed, and discount."""
        for width_ms, first, size in RINGS:
            old, new = before_ms // width_ms, newest_ms // width_ms
            if new == old:
                return  # widths are multiples of each other: no wider pane has ended either
            for pane in range(max(old + 1, new - size + 1), new + 1):
                self.panes[first + pane % size] = 0
        days = newest_ms // DAY_MS - before_ms // DAY_MS
        _discount(self.hours, HOURS_KEPT_PER_DAY**days)
        _discount(self.topic_weights, TOPICS_KEPT_PER_DAY**days)

    def add_turn(self, at_ms: int, newest_ms: int, topic: int | None) -> None:
        """Count one turn at `at_ms`, which is not after the clock `newest_ms`."""
        for width_ms, first, size in RINGS:
            pane = at_ms // width_ms
            if newest_ms // width_ms - pane < size:
                index = first + pane % size
                if self.panes[index] < _MOST_PER_PANE:
                    self.panes[index] += 1
        days_ago = newest_ms // DAY_MS - at_ms // DAY_MS
        self.hours[at_ms // HOUR_MS % 24] += HOURS_KEPT_PER_DAY**days_ago if days_ago else 1.0
        if topic is not None:
            self._add_topic(topic, TOPICS_KEPT_PER_DAY**days_ago)
        self._add_to_session(at_ms)

    def add_negative(self, at_ms: int) -> None:
        """Count a dislike that comes in the present session, or before the pause that ends it; at most one a turn."""
        in_session = self.session_started_ms <= at_ms < self.session_last_ms + SESSION_GAP_MS
        if in_session and self.session_negatives < self.session_turns:
            self.session_negatives += 1

    def _add_to_session(self, at_ms: int) -> None:
        if at_ms - self.session_last_ms >= SESSION_GAP_MS or not self.session_turns:
            self.session_started_ms = self.session_last_ms = at_ms
            self.session_turns, self.session_negatives = 1, 0
            return
        if self.session_started_ms - at_ms >= SESSION_GAP_MS:
            return  # belongs to an earlier session
        self.session_started_ms = min(self.session_started_ms, at_ms)
        self.session_last_ms = max(self.session_last_ms, at_ms)
        self.session_turns += 1

    def _add_topic(self, topic: int, weight: float) -> None:
        ids, weights = self.topic_ids, self.topic_weights
        try:
            slot = ids.index(topic)
        except ValueError:
            slot = weights.index(min(weights))  # the lightest makes room
            ids[slot], weights[slot] = topic, 0.0
        weights[slot] += weight

    def copy(self) -> "Windows":
        """Return the windows as they are now, to be read later."""
        twin = Windows.__new__(Windows)
        twin.panes, twin.hours = self.panes[:], self.hours[:]
        twin.topic_ids, twin.topic_weights = self.topic_ids[:], self.topic_weights[:]
        twin.session_started_ms, twin.session_last_ms = self.session_started_ms, self.session_last_ms
        twin.session_turns, twin.session_negatives = self.session_turns, self.session_negatives
        return twin

    def profile(self, version: str, at_ms: int, topic_names: tuple[str, ...]) -> Profile:
        """Return the windows as Copilot reads them; `topic_names` are the catalogue's, by index."""
        panes = self.panes
        return Profile(
            v=version,
            activity=Activity(sum(panes[0:12]), sum(panes[12:36]), sum(panes[36:43])),
            topics=self._top_topics(topic_names),
            session=Session(
                self.session_started_ms,
                self.session_turns,
                round(self.session_negatives / max(1, self.session_turns), 3),
            ),
            hours=tuple([round(count, 2) if count else 0.0 for count in self.hours]),
            at=at_ms,
        )

    def _top_topics(self, topic_names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
        pairs = [(w, i) for w, i in zip(self.topic_weights, self.topic_ids, strict=True) if w > 0]
        pairs.sort(key=lambda pair: (-pair[0], pair[1]))
        total = sum(self.topic_weights)
        return tuple([(topic_names[i], round(w / total, 3)) for w, i in pairs[:TOPICS_SHOWN]])


def _discount(values: "array[float]", factor: float) -> None:
    for index, value in enumerate(values):
        values[index] = value * factor
