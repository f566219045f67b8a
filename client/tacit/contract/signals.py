"""Signals, profile and status of a user, in the form that workers write to Redis and assistants read."""

from typing import Annotated, Literal, NamedTuple

import msgspec

from tacit.contract.activity import Activity, Count

Tier = Literal["default", "hint", "apply"]
"""Permitted use: `default` value only, `hint` towards `value`, or `apply` it."""

Source = Literal["user", "learned", "population"]
"""Origin of a signal: a pin (`user`), the user's own feedback, or the population model. A pin outranks all others."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A probability, or a part of a whole."""
TimeMs = Annotated[int, msgspec.Meta(ge=0, lt=10**13)]
"""Event time, epoch ms; 13 digits."""
Discounted = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
"""A count of events in which older events weigh less."""
Version = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9]{13}-[0-9]{10}$"})]
"""Version of a field (tacit.contract.versions)."""
Versions = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^m[0-9]{1,4}\.c[0-9]{1,4}\.p[0-9]{1,15}$"})]
"""Versions of model, catalogue and population: `m1.c3.p12`."""

MAX_CONTEXTS = 16
"""Most contexts of a signal."""

PROFILE = "_profile"
STATUS = "_status"
WIPED = "_epoch"
"""Fields of a signals hash that are not facets: facet names never begin with an underscore."""


class ContextValue(NamedTuple):
    """The preferred value of a facet on one topic or surface."""

    context: str
    """`topic:` or `surface:`, and a name of the catalogue."""
    value: str
    confidence: Share
    """Probability that `value` beats `runner_up` in the context."""
    tier: Tier
    runner_up: str | None


class Signal(msgspec.Struct, frozen=True):
    """The preferred value of a facet for a user. `v` must stay the first member."""

    # Decoding checks numbers. A reader checks texts: names need the catalogue, and patterns would cost 1 µs each here.

    v: Version
    value: str
    p: Share | None
    """Probability, 0–1, that the user likes an answer with `value`; None for a pin."""
    confidence: Share | None
    """Probability, 0.5–1, that `value` beats `runner_up`; None for a pin."""
    tier: Tier
    source: Source
    evidence: Discounted
    """Discounted count of feedback in favour of `value`."""
    runner_up: str | None
    gap: Annotated[float, msgspec.Meta(ge=-1, le=1)] | None
    """Difference of the probabilities of `value` and `runner_up`."""
    default: str | None
    """The value to use without a signal; None: no value."""
    explore: Share
    """Share of conversations, 0–1, in which the assistant should try another value."""
    why: tuple[tuple[str, Count], ...]
    """Feedback kinds of most weight in favour of `value`, with their counts."""
    by: Versions
    at: TimeMs
    """Event time, epoch ms."""
    against: Discounted = 0.0
    """Discounted count of feedback against `value`."""
    why_not: tuple[tuple[str, Count], ...] = ()
    """Feedback kinds of most weight against `value`, with their counts."""
    contexts: Annotated[tuple[ContextValue, ...], msgspec.Meta(max_length=MAX_CONTEXTS)] = ()
    """Topics and surfaces where the preferred value or its tier differs."""
    drift_at: TimeMs | None = None
    """Always null: earlier readers need the member."""


class Session(msgspec.Struct, frozen=True):
    """The newest session: turns with gaps of less than 30 minutes."""

    started_at: TimeMs
    turns: Count
    negative_share: Share


class Profile(msgspec.Struct, frozen=True):
    """Recent activity of a user; written at most once per 5-minute pane."""

    v: Version
    activity: Activity
    topics: Annotated[tuple[tuple[str, Share], ...], msgspec.Meta(max_length=5)]
    """Up to five topics with decayed shares, largest first, without sensitive topics."""
    session: Session
    hours: Annotated[tuple[Discounted, ...], msgspec.Meta(min_length=24, max_length=24)]
    """24 discounted counts of turns by hour of day, UTC."""
    at: TimeMs


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
