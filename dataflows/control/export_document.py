"""Document of `tacit export`: all that Tacit holds and infers about one user, by part.

Each part has its purpose, source and retention. Names are those of the catalogue, names that left it included. Times
are epoch milliseconds, 0 for none. The user is named by the pseudonym. Hashes are given as counts: they serve to
recognize repeats, and show nothing about the user.
"""

from typing import Any, Literal

import msgspec

from dataflows.control.why_document import ConsentDocument, WhyFacet


class About(msgspec.Struct, frozen=True):
    """Facts on a part."""

    purpose: str
    source: str
    retention: str


class Checkpoint(msgspec.Struct, frozen=True):
    """The copy of the state that was read."""

    shard: int
    number: int
    at_ms: int
    newest_ms: int
    """The user's newest event."""
    accepted_events: int
    """Events since the last wipe or long absence."""


class ConsentPart(msgspec.Struct, frozen=True):
    """Consent and wipes."""

    about: About
    scopes: dict[str, ConsentDocument]
    learns: bool
    """Feedback trains."""
    wiped_ms: int
    """Time of the last wipe."""
    forgotten_ms: int
    """Time of the last forget of everything."""
    facets_forgotten_ms: dict[str, int]
    """Time of the last forget of single facets."""
    facets_forgotten_events: dict[str, int]
    """Accepted events before that forget."""
    control_hashes: int
    """Hashes of recent consent, pin and forget events, against repeats."""


class UserPin(msgspec.Struct, frozen=True):
    """One setting of the user."""

    value: str | None
    """None: removed."""
    at_ms: int


class PinsPart(msgspec.Struct, frozen=True):
    """The user's own settings."""

    about: About
    facets: dict[str, UserPin]


class SessionDocument(msgspec.Struct, frozen=True):
    """One session."""

    first_ms: int
    last_ms: int
    turns: int
    dislikes: int


class ActivityPart(msgspec.Struct, frozen=True):
    """Counts of turns and topics."""

    about: About
    panes: dict[str, tuple[int, ...]]
    """Turns by pane of each window, in storage order."""
    hours: tuple[float, ...]
    """Fading count of turns by hour of day, UTC."""
    topics: dict[str, float]
    """Fading weight of each topic."""
    sessions: tuple[SessionDocument, ...]


class RecentPart(msgspec.Struct, frozen=True):
    """Memory against repeats."""

    about: About
    event_hashes: int
    next_event: int
    """Place that the next hash replaces, once 64 are held."""
    turn_hashes: int
    next_turn: int
    weights_used: tuple[float, ...]
    """By turn: weight of its feedback so far."""
    disliked_turns: int
    """Turns with a dislike, a bit each."""


class Gaussian(msgspec.Struct, frozen=True):
    """A belief: a mean, and how unsure the mean is."""

    mean: float
    variance: float


class FacetBeliefs(msgspec.Struct, frozen=True):
    """Beliefs about one facet."""

    values: dict[str, Gaussian]
    """Difference of the user from the population."""
    slope: Gaussian


class MoodBelief(msgspec.Struct, frozen=True):
    """Liking of answers at the moment, which decays within hours."""

    mean: float
    variance: float
    at_ms: int
    """Time of the newest feedback; 0: none."""


class ContextEffect(msgspec.Struct, frozen=True):
    """Difference of the user's liking of a value in a context from that in general."""

    facet: str
    value: str | None
    """None: the slope along the facet's scale."""
    effect: float


class ContextBeliefs(msgspec.Struct, frozen=True):
    """Beliefs about one topic or surface."""

    context: str
    """`topic:` or `surface:` with a name, or the number of a context that left the catalogue."""
    weight: float
    """Aged weight of the feedback in the context."""
    effects: tuple[ContextEffect, ...]


class BeliefsPart(msgspec.Struct, frozen=True):
    """Beliefs that were learned from feedback."""

    about: About
    facets: dict[str, FacetBeliefs]
    bias: Gaussian
    """Liking of answers in general."""
    mood: MoodBelief
    contexts: tuple[ContextBeliefs, ...]
    feedback_count: int
    population: int
    """Population version of the last training."""


class FeedbackPiece(msgspec.Struct, frozen=True):
    """One of the last pieces of feedback."""

    at_ms: int
    kind: str
    form: Literal["dislike", "like", "prefers_lower", "prefers_higher"]
    """`prefers_…`: directed feedback; the value with the lower or higher number is better than the other."""
    weight: float
    values: tuple[tuple[str, str], ...]
    """Facet and value."""
    only: tuple[str, ...]
    """Facets that the feedback is narrowed to; empty for all."""
    population_mean: float
    population_variance: float


class TotalFeedback(msgspec.Struct, frozen=True):
    """Aged sum of all feedback on one side of a value."""

    facet: str
    value: str
    side: Literal["for", "against"]
    weight: float


class EarlierFeedback(msgspec.Struct, frozen=True):
    """Sum of earlier feedback on one side of a value."""

    facet: str
    value: str
    side: Literal["for", "against"]
    weight: float
    day_ms: int


class EvidencePart(msgspec.Struct, frozen=True):
    """Feedback behind the beliefs."""

    about: About
    last: tuple[FeedbackPiece, ...]
    total: tuple[TotalFeedback, ...]
    earlier: tuple[EarlierFeedback, ...]
    has_uncounted: bool
    """Some feedback came before Tacit counted evidence per value."""


class EmittedSignal(msgspec.Struct, frozen=True):
    """The last signal on one facet."""

    value: str | None
    tier: str
    confidence: float
    evidence: float
    """Evidence for the value then."""
    against: float
    contexts: dict[str, str | None]
    """Context → value, where the value differed."""
    at_ms: int


class EmittedPart(msgspec.Struct, frozen=True):
    """Signals that were emitted."""

    about: About
    facets: dict[str, EmittedSignal]
    oldest_ms: int
    profile_pane: int
    """Five-minute interval of the last profile."""


class InferredPart(msgspec.Struct, frozen=True):
    """Values that Tacit infers from all parts now, as `tacit why` explains them."""

    about: About
    population: int
    facets: tuple[WhyFacet, ...]


class RedisKey(msgspec.Struct, frozen=True):
    """One key of the user."""

    key: str
    ttl_ms: int | None
    """None: the key does not expire."""
    content: Any
    """The gate by member, or the fields of a hash."""


class RedisPart(msgspec.Struct, frozen=True):
    """Keys of the user in Redis."""

    about: About
    keys: tuple[RedisKey, ...]


class Elsewhere(msgspec.Struct, frozen=True):
    """A place that the export does not read."""

    place: str
    about: About


class Export(msgspec.Struct, frozen=True):
    """All that is held and inferred about one user; a part is null if nothing of it is held."""

    schema: Literal[1]
    made_at_ms: int
    user: str
    """Pseudonym."""
    region: str
    checkpoint: Checkpoint | None
    """None: the state folder has nothing about the user."""
    consent: ConsentPart | None
    pins: PinsPart | None
    activity: ActivityPart | None
    recent: RecentPart | None
    beliefs: BeliefsPart | None
    evidence: EvidencePart | None
    emitted: EmittedPart | None
    inferred: InferredPart | None
    redis: RedisPart | None
    """None: Redis was not read."""
    elsewhere: tuple[Elsewhere, ...]
