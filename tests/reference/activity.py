"""Activity of a user in event time: counts in panes, sessions, hours of day, topics."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import fsum

from tacit.contract.activity import DAY_MS, HOUR_MS, MINUTE_MS, WINDOWS, Activity
from tacit.contract.signals import Profile, Session
from tests.reference.rounding import f32

PANE_MS = WINDOWS[0].panes.width_ms
MAX_SESSIONS = 8
MAX_PER_PANE = 65_535
HOURS_KEPT_PER_DAY = 0.977
TOPICS_KEPT_PER_DAY = 0.906
TOPICS = 8
TOPICS_SHOWN = 5
NO_TOPIC = 65_535
SESSION_GAP_MS = 30 * MINUTE_MS
SESSION_KEPT_MS = DAY_MS + SESSION_GAP_MS
"""Age of the last turn from which no event up to a day late touches a session."""


@dataclass
class Visit:
    """A session."""

    first_ms: int
    last_ms: int
    turns: int = 1
    dislikes: int = 0


@dataclass
class Windows:
    """The windows of a user; `clock_ms` is the user's newest event time."""

    panes: list[dict[int, int]] = field(default_factory=lambda: [{} for _ in WINDOWS])
    """By window: number of a pane since 1970 → turns."""
    hours: list[float] = field(default_factory=lambda: [0.0] * 24)
    topic_ids: list[int] = field(default_factory=lambda: [NO_TOPIC] * TOPICS)
    topic_weights: list[float] = field(default_factory=lambda: [0.0] * TOPICS)
    visits: list[Visit] = field(default_factory=list)
    """Oldest first."""

    def advance(self, before_ms: int, clock_ms: int) -> None:
        """Move the clock: drop passed panes, and discount by days."""
        for window, panes in zip(WINDOWS, self.panes, strict=True):
            oldest = clock_ms // window.panes.width_ms - window.panes.number + 1
            for pane in [pane for pane in panes if pane < oldest]:
                del panes[pane]
        days = clock_ms // DAY_MS - before_ms // DAY_MS
        if days:
            self.hours = [f32(count * HOURS_KEPT_PER_DAY**days) for count in self.hours]
            self.topic_weights = [f32(weight * TOPICS_KEPT_PER_DAY**days) for weight in self.topic_weights]
            self.free(clock_ms)

    def add_turn(self, at_ms: int, clock_ms: int, topic: int | None) -> None:
        """Count a turn, not after the clock."""
        for window, panes in zip(WINDOWS, self.panes, strict=True):
            pane = at_ms // window.panes.width_ms
            if clock_ms // window.panes.width_ms - pane < window.panes.number:
                panes[pane] = min(panes.get(pane, 0) + 1, MAX_PER_PANE)
        days_ago, hour = clock_ms // DAY_MS - at_ms // DAY_MS, at_ms // HOUR_MS % 24
        self.hours[hour] = f32(self.hours[hour] + HOURS_KEPT_PER_DAY**days_ago)
        if topic is not None:
            self._add_topic(topic, TOPICS_KEPT_PER_DAY**days_ago)
        self._visit(at_ms, clock_ms)

    def _add_topic(self, topic: int, weight: float) -> None:
        if topic not in self.topic_ids:
            lightest = self.topic_weights.index(min(self.topic_weights))
            self.topic_ids[lightest], self.topic_weights[lightest] = topic, 0.0
        row = self.topic_ids.index(topic)
        self.topic_weights[row] = f32(self.topic_weights[row] + weight)

    def _visit(self, at_ms: int, clock_ms: int) -> None:
        """Join a turn and the sessions in reach; without any, open a session."""
        newest = self.visits[-1] if self.visits else None
        if newest is not None and newest.first_ms <= at_ms < newest.last_ms + SESSION_GAP_MS:
            newest.turns += 1
            newest.last_ms = max(newest.last_ms, at_ms)
            return
        near = [
            visit
            for visit in self.visits
            if visit.first_ms - at_ms < SESSION_GAP_MS and at_ms - visit.last_ms < SESSION_GAP_MS
        ]
        joined = Visit(at_ms, at_ms)
        for visit in near:
            joined.first_ms, joined.last_ms = min(joined.first_ms, visit.first_ms), max(joined.last_ms, visit.last_ms)
            joined.turns += visit.turns
            joined.dislikes += visit.dislikes
        others = [visit for visit in self.visits if visit not in near]
        self.visits = sorted([*others, joined], key=lambda visit: visit.first_ms)[-MAX_SESSIONS:]
        self.free(clock_ms)

    def free(self, clock_ms: int) -> None:
        """Drop the oldest sessions that no turn of the last day can touch; the newest stays."""
        while len(self.visits) > 1 and self.visits[0].last_ms <= clock_ms - SESSION_KEPT_MS:
            del self.visits[0]

    def add_dislike(self, at_ms: int) -> None:
        """Count a dislike in the session that covers the time, if there is one."""
        for visit in self.visits:
            if visit.first_ms <= at_ms < visit.last_ms + SESSION_GAP_MS:
                visit.dislikes += 1

    def drop(self, topics: Collection[int]) -> None:
        for row, topic in enumerate(self.topic_ids):
            if topic in topics:
                self.topic_ids[row], self.topic_weights[row] = NO_TOPIC, 0.0

    def profile(self, version: str, at_ms: int, topic_names: Sequence[str | None]) -> Profile:
        """Return the profile; topics with the name None are left out."""
        newest = self.visits[-1] if self.visits else None
        share = round(min(1.0, newest.dislikes / newest.turns), 3) if newest else 0.0
        return Profile(
            version,
            Activity(*[sum(panes.values()) for panes in self.panes]),
            self._top_topics(topic_names),
            Session(newest.first_ms, newest.turns, share) if newest else Session(0, 0, 0.0),
            tuple(round(count, 2) for count in self.hours),
            at_ms,
        )

    def _top_topics(self, topic_names: Sequence[str | None]) -> tuple[tuple[str, float], ...]:
        pairs = zip(self.topic_weights, self.topic_ids, strict=True)
        kept = sorted((-weight, topic) for weight, topic in pairs if weight > 0)
        named = [(name, -minus) for minus, topic in kept if (name := topic_names[topic]) is not None]
        total = fsum(weight for _, weight in named)
        return tuple((name, round(weight / total, 3)) for name, weight in named[:TOPICS_SHOWN])
