"""Oracle of a user's activity, computed from all turns each time.

the hour that ends with the clock's pane of 5 minutes; x: turns that count, o: turns that do not

      9:10                                             10:00     10:07 10:10
────────┬────────────────────────────────────────────────┬─────────▲─────┬──
  o   o │ x           x                 x             x  │   x     x     │
        └────────────────────── 1 h ─────────────────────────────────────┘
"""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tacit.contract.signals import Profile

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
GAP_MS = 30 * MINUTE_MS

VISIBLE = 1e-30
"""A topic that weighs less has faded beyond what 32 bits hold."""


class Turn(NamedTuple):
    """Time and topic of a turn."""

    at_ms: int
    topic: int | None = None


class Visit(NamedTuple):
    """A session: first turn, last turn, turns and dislikes."""

    first_ms: int
    last_ms: int
    turns: int
    dislikes: int


class ActivityOracle:
    """All turns, and the clock: the newest event time."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.clock_ms = 0
        self.turns: list[Turn] = []
        self.dislikes_ms: list[int] = []

    def add_turn(self, turn: Turn) -> None:
        self.clock_ms = max(self.clock_ms, turn.at_ms)
        self.turns.append(turn)

    def add_dislike(self, at_ms: int) -> None:
        """Add a dislike, if a session covers its time."""
        if any(visit.first_ms <= at_ms < visit.last_ms + GAP_MS for visit in self.visits()):
            self.dislikes_ms.append(at_ms)

    def count(self, width_ms: int, step_ms: int) -> int:
        """Return the number of turns in a window that ends with the clock's pane."""
        end_ms = (self.clock_ms // step_ms + 1) * step_ms
        return sum(end_ms - width_ms <= turn.at_ms < end_ms for turn in self.turns)

    def visits(self) -> list[Visit]:
        """Return all sessions, oldest first."""
        sessions: list[list[int]] = []
        for at_ms in sorted(turn.at_ms for turn in self.turns):
            if sessions and at_ms - sessions[-1][-1] < GAP_MS:
                sessions[-1].append(at_ms)
            else:
                sessions.append([at_ms])
        return [Visit(s[0], s[-1], len(s), self._dislikes(s[0], s[-1])) for s in sessions]

    def _dislikes(self, first_ms: int, last_ms: int) -> int:
        return sum(first_ms <= at_ms < last_ms + GAP_MS for at_ms in self.dislikes_ms)

    def days_ago(self, at_ms: int) -> int:
        return self.clock_ms // DAY_MS - at_ms // DAY_MS

    def hours(self) -> list[float]:
        """Return the weight of turns by hour of day, which halves in 30 days."""
        hours = [0.0] * 24
        for turn in self.turns:
            hours[turn.at_ms % DAY_MS // HOUR_MS] += 0.977 ** self.days_ago(turn.at_ms)
        return hours

    def topic_weights(self) -> dict[int, float]:
        """Return the weight of turns by topic, which halves in 7 days."""
        weights: dict[int, float] = {}
        for at_ms, topic in self.turns:
            if topic is not None:
                weights[topic] = weights.get(topic, 0.0) + 0.906 ** self.days_ago(at_ms)
        return weights

    def check(self, profile: Profile, topic_names: Sequence[str]) -> None:
        """Assert that a profile agrees, for a user with at most eight topics."""
        found = profile.activity
        assert found.hour == self.count(HOUR_MS, 5 * MINUTE_MS)
        assert found.day == self.count(DAY_MS, HOUR_MS)
        assert found.week == self.count(7 * DAY_MS, DAY_MS)
        newest = self.visits()[-1]
        assert (profile.session.started_at, profile.session.turns) == (newest.first_ms, newest.turns)
        assert profile.session.negative_share == round(min(1.0, newest.dislikes / newest.turns), 3)
        assert profile.hours == pytest.approx(self.hours(), abs=0.006)
        self._check_topics(dict(profile.topics), topic_names)

    def _check_topics(self, shown: dict[str, float], topic_names: Sequence[str]) -> None:
        weights = {topic_names[topic]: weight for topic, weight in self.topic_weights().items() if weight > VISIBLE}
        total = sum(weights.values())
        heaviest = sorted(weights.values(), reverse=True)[:5]
        assert len(shown) >= len(heaviest)
        for name, weight in weights.items():
            if name in shown:
                assert shown[name] == pytest.approx(weight / total, abs=0.001)
            else:
                assert weight <= heaviest[-1] * 1.001
