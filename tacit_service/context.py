"""Context that an assistant may reason with, as a document: each part with its age, and preferences with confidence."""

from collections.abc import Mapping

from msgspec import Struct

from tacit import Adaptation, Description, pseudonym_text
from tacit.contract.activity import Activity
from tacit.contract.gates import ReadConsent
from tacit.reader.adaptation import Status
from tacit.reader.choice import Strength
from tacit.reader.description import Recency
from tacit.reader.preferred import in_context


class ContextTopic(Struct, frozen=True):
    """Main topic."""

    topic: str
    share: float


class ContextSession(Struct, frozen=True):
    """Newest session, from the last hour."""

    turns: int
    negative_share: float
    started_age_ms: int


class ContextPreference(Struct, frozen=True):
    """Preference in effect."""

    facet: str
    value: str
    strength: Strength
    runner_up: str | None
    gap: float | None
    confidence: float | None
    """Probability that the value beats the runner-up; None for a pin."""
    age_ms: int
    text: str


class ContextQuestion(Struct, frozen=True):
    """Question that is worth asking."""

    facet: str
    text: str
    worth: float


class Context(Struct, frozen=True):
    """Context of one conversation; every text is of the catalogue or of the contract."""

    user: str
    """Pseudonym."""
    status: Status
    is_permitted: bool
    """Consent to learn and use holds; without it, only the consent is known."""
    consent: Mapping[str, ReadConsent]
    topics: tuple[ContextTopic, ...]
    recency: Recency | None
    activity: Activity | None
    """Turns in the last hour, day and week."""
    activity_age_ms: int | None
    """Age of topics, activity and session."""
    session: ContextSession | None
    preferences: tuple[ContextPreference, ...]
    unsure: tuple[str, ...]
    question: ContextQuestion | None
    text: str
    """The same in words, for a system prompt."""


def context(
    adaptation: Adaptation, user: bytes, described: Description, contexts: tuple[str, ...], now_ms: int
) -> Context:
    """Return the document of a description.

    Args:
        adaptation: the user's adaptation.
        user: 16-byte pseudonym.
        described: the description that the adaptation gives.
        contexts: topic and surface of the answer, as signals have them.
        now_ms: current time, Unix milliseconds.
    """
    profile = adaptation.profile if described.is_permitted else None
    session, question = described.session, described.question
    return Context(
        pseudonym_text(user),
        adaptation.status,
        described.is_permitted,
        described.consent._asdict(),
        tuple(ContextTopic(*topic) for topic in described.topics),
        described.recency,
        None if profile is None else profile.activity,
        None if profile is None else _age(profile.at, now_ms),
        None
        if session is None
        else ContextSession(session.turns, session.negative_share, _age(session.started_at, now_ms)),
        tuple(_preferences(adaptation, described, contexts, now_ms)),
        described.unsure,
        None if question is None else ContextQuestion(*question),
        described.text(),
    )


def _preferences(
    adaptation: Adaptation, described: Description, contexts: tuple[str, ...], now_ms: int
) -> list[ContextPreference]:
    found = []
    for each in described.preferences:
        signal = adaptation.signals[each.facet]
        found.append(
            ContextPreference(
                each.facet,
                each.value,
                each.strength,
                each.runner_up,
                each.gap,
                in_context(signal, contexts).confidence,
                _age(signal.at, now_ms),
                each.text(),
            )
        )
    return found


def _age(at_ms: int, now_ms: int) -> int:
    return max(0, now_ms - at_ms)
