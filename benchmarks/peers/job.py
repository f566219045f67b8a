"""The peers' job for one event: windowed counts, a River model per user, three predictions, one signal.

Plain Python with River, and no code of the product: each peer's module only connects these functions to a source, to
the state of that peer, and to Redis. Windows are counted in the user's state, which costs less than window operators.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from river.linear_model import AdPredictor

LIKES = {
    "thumbs_up": True, "copied": True, "accepted": True, "thumbs_down": False, "regenerated": False, "edited": False
}  # fmt: skip
FACET = "length"
VALUES = ("concise", "balanced", "detailed")
MINUTE_MS = 60_000
HOUR_MS, DAY_MS = 60 * MINUTE_MS, 1440 * MINUTE_MS
WINDOWS = {"1h": (HOUR_MS, 5 * MINUTE_MS), "24h": (DAY_MS, HOUR_MS), "7d": (7 * DAY_MS, DAY_MS)}
"""Length of each window and of its panes."""
BATCH = 1000
"""Signals per round trip to Redis."""

Event = dict[str, Any]
Features = dict[str, int]


@dataclass
class User:
    """State of one user."""

    model: AdPredictor = field(default_factory=AdPredictor)
    panes: dict[str, dict[int, int]] = field(default_factory=lambda: {name: {} for name in WINDOWS})
    """Events by window and number of the pane."""


def parse(line: str | bytes) -> Event | None:
    """Return the interaction event of a line; None for other events and for broken lines."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if is_interaction(event) else None


def is_interaction(event: Any) -> bool:
    """Return whether a JSON value is an answer to a user."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("user_id"), str)
        and isinstance(event.get("at"), int)
        and isinstance(event.get("served"), dict)
    )


def step(user: User, event: Event) -> str:
    """Count the event, learn from its feedback, and return the user's signal."""
    counts = {name: _count(user.panes[name], event["at"], *window) for name, window in WINDOWS.items()}
    feedback = event.get("feedback")
    liked = LIKES.get(feedback["kind"]) if feedback else None
    if liked is not None:
        user.model.learn_one(features(event["served"]), liked)
    chances = [user.model.predict_proba_one(x)[True] for x in alternatives(event["served"])]
    best = max(range(len(VALUES)), key=chances.__getitem__)
    return json.dumps({"value": VALUES[best], "chances": chances, "counts": counts})


def features(served: dict[str, Any]) -> Features:
    """Return the features of a style: one per value."""
    return {f"{facet}={value}": 1 for facet, value in served.items()}


def alternatives(served: dict[str, Any]) -> list[Features]:
    """Return the features of a style with each value of one facet."""
    return [features({**served, FACET: value}) for value in VALUES]


def _count(panes: dict[int, int], at_ms: int, length_ms: int, pane_ms: int) -> int:
    """Add an event to its pane, drop the panes that left the window, and return the events in the window."""
    newest = at_ms // pane_ms
    panes[newest] = panes.get(newest, 0) + 1
    oldest = max(panes) - length_ms // pane_ms
    for pane in [pane for pane in panes if pane <= oldest]:
        del panes[pane]
    return sum(panes.values())


def key_of(user_id: str) -> str:
    """Return the Redis key of a user's signal."""
    return f"signals:{user_id}"
