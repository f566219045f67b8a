"""Signals, profile and status of a user, in the form that workers write to Redis and assistants read."""

from typing import Literal

import msgspec

from tacit.contract.activity import Activity

Tier = Literal["default", "hint", "apply"]
"""Permitted use: `default` value only, `hint` towards `value`, or `apply` it."""

Source = Literal["user", "learned", "population"]
"""Origin of a signal: a pin (`user`), the user's own feedback, or the population model. A pin outranks all others."""

PROFILE = "_profile"
STATUS = "_status"
WIPED = "_epoch"
"""Fields of a signals hash that are not facets: facet names never begin with an underscore."""


class Signal(msgspec.Struct, frozen=True):
    """The preferred value of a facet for a user. `v` must stay the first member."""

    v: str
    value: str
    p: float | None
    """Probability, 0–1, that the user likes an answer with `value`; None for a pin."""
    confidence: float | None
    """Probability, 0.5–1, that `value` beats `runner_up`; None for a pin."""
    tier: Tier
    source: Source
    evidence: float
    """Discounted count of feedback."""
    runner_up: str | None
    gap: float | None
    """Difference of the probabilities of `value` and `runner_up`."""
    default: str | None
    """The value to use without a signal; None: no value."""
    explore: float
    """Share of conversations, 0–1, in which the assistant should try another value."""
    drift_at: int | None
    """Event time, epoch ms, of the last change that was found in the user's preference."""
    why: tuple[tuple[str, int], ...]
    """Feedback kinds of most weight, with their counts."""
    by: str
    """Versions of model, catalogue and population: `m1.c3.p12`."""
    at: int
    """Event time, epoch ms."""


class Session(msgspec.Struct, frozen=True):
    """The newest session: turns with gaps of less than 30 minutes."""

    started_at: int
    turns: int
    negative_share: float


class Profile(msgspec.Struct, frozen=True):
    """Recent activity of a user; written at most once per 5-minute pane."""

    v: str
    activity: Activity
    topics: tuple[tuple[str, float], ...]
    """Up to five topics with decayed shares, largest first, without sensitive topics."""
    session: Session
    hours: tuple[float, ...]
    """24 discounted counts of turns by hour of day, UTC."""
    at: int


class Status(msgspec.Struct, frozen=True):
    """The only field of an opted-out user."""

    v: str
    status: Literal["opted_out"]


class Wiped(msgspec.Struct, frozen=True):
    """The user's last wipe before the signals; absent without a wipe."""

    v: str


encode = msgspec.json.Encoder().encode
decode_signal = msgspec.json.Decoder(Signal).decode
decode_profile = msgspec.json.Decoder(Profile).decode
decode_status = msgspec.json.Decoder(Status).decode
