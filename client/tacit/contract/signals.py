"""What goes out: the signals, profile and status that Copilot reads, as the contract writes them.

Plain msgspec types: a reader decodes them without pydantic and without River.
"""

from typing import Literal

import msgspec

from tacit.contract.activity import Activity

Tier = Literal["default", "hint", "apply"]
"""What Copilot may do: use `default`, lean towards `value`, or apply `value`."""

Source = Literal["user", "learned", "population"]
"""Where a signal comes from; `user` is a pin and outranks everything."""

PROFILE = "_profile"
STATUS = "_status"
WIPED = "_epoch"
"""Fields of a signals hash that are no facets: facet names never begin with an underscore."""


class Signal(msgspec.Struct, frozen=True):
    """What is known of a person's preference in one facet. `v` must stay the first member."""

    v: str
    value: str
    p: float | None
    """Probability, 0–1, that the person likes an answer in this style; None for a pin."""
    confidence: float | None
    """Probability, 0.5–1, that `value` beats `runner_up`; None for a pin."""
    tier: Tier
    source: Source
    evidence: float
    """Discounted count of feedback."""
    runner_up: str | None
    gap: float | None
    """How far `value` is ahead of `runner_up`, as a difference of probabilities."""
    default: str | None
    """The value to use without a signal; None: say nothing."""
    explore: float
    """Share of conversations, 0–1, in which Copilot should try another value."""
    drift_at: int | None
    """Event time, epoch ms, at which the person's taste was last found to have changed."""
    why: tuple[tuple[str, int], ...]
    """Feedback kinds that weigh most, with their counts."""
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
    """How a person has used the assistant lately; written at most once per 5-minute pane."""

    v: str
    activity: Activity
    topics: tuple[tuple[str, float], ...]
    """Up to five topics with their decayed shares, largest first; sensitive ones never."""
    session: Session
    hours: tuple[float, ...]
    """24 discounted counts of turns by hour of day, UTC."""
    at: int


class Status(msgspec.Struct, frozen=True):
    """The only field of a person who opted out."""

    v: str
    status: Literal["opted_out"]


class Wiped(msgspec.Struct, frozen=True):
    """The wipe that a person's signals were born under; there is none of people who never were wiped."""

    v: str


encode = msgspec.json.Encoder().encode
decode_signal = msgspec.json.Decoder(Signal).decode
decode_profile = msgspec.json.Decoder(Profile).decode
decode_status = msgspec.json.Decoder(Status).decode
