"""Description of a user for an assistant: what it may reason with, as data and in words of the catalogue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tacit.contract.activity import Activity
from tacit.contract.gates import Consents
from tacit.contract.signals import Session
from tacit.contract.wording import rather_than
from tacit.reader.choice import Strength

Recency = Literal["hour", "day", "week", "earlier"]
"""Shortest window with a turn of the user: the last hour, day or week, or none of them."""

MAX_DESCRIPTION = 1200
"""Limit of `Description.text`, in characters."""

_LAST_ACTIVE: Mapping[Recency, str] = {
    "hour": "Last active within the hour.",
    "day": "Last active within the day.",
    "week": "Last active within the week.",
    "earlier": "Last active more than a week ago.",
}
_HEADINGS: Mapping[Strength, str] = {"pin": "Set by the user", "apply": "Known", "hint": "Likely"}


class Preference(NamedTuple):
    """Preference that the answers follow."""

    facet: str
    value: str
    strength: Strength
    """`pin`, `apply` or `hint`."""
    runner_up: str | None = None
    gap: float | None = None
    """Difference of the chances of value and runner-up; None for a pin, and for a value of one topic or surface."""

    def text(self) -> str:
        """Return the preference in words.

        >>> Preference("length", "concise", "apply", "balanced", 0.22).text()
        'length concise rather than balanced, clearly'
        """
        return f"{self.facet} {self.value} {rather_than(self.runner_up, self.gap)}".rstrip()


class Question(NamedTuple):
    """Question to the user, in the catalogue's wording. A pin event with the answer settles the facet."""

    facet: str
    text: str
    worth: float
    """Expected rise of the chance of a like (`tacit.reader.worth`)."""


@dataclass(frozen=True, slots=True)
class Description:
    """Context that an assistant may reason with; without consent to learn or use, the consent alone."""

    consent: Consents
    topics: tuple[tuple[str, float], ...] = ()
    """Main topics with their shares, largest first."""
    recency: Recency | None = None
    """None without a profile."""
    session: Session | None = None
    """Newest session, if it is from the last hour."""
    preferences: tuple[Preference, ...] = ()
    unsure: tuple[str, ...] = ()
    """Facets of which too little is known, those with the most to gain first."""
    question: Question | None = None
    """The one question of this conversation that is worth asking."""
    is_permitted: bool = True
    """Consent to learn and use holds."""

    def text(self) -> str:
        """Return the description in words, at most `MAX_DESCRIPTION` characters; a sentence beyond is left out.

        >>> Description(Consents("granted", "granted", "denied"), (("email", 0.52),), "hour").text()
        'Main topics: email 52 %. Last active within the hour.'
        """
        text = ""
        for sentence in self._sentences():
            longer = f"{text} {sentence}".lstrip()
            if len(longer) <= MAX_DESCRIPTION:
                text = longer
        return text

    def _sentences(self) -> Iterator[str]:
        if not self.is_permitted:
            scopes = ", ".join(f"{scope} {state}" for scope, state in self.consent._asdict().items())
            yield f"Consent: {scopes}."
        if self.question is not None:
            yield f"Worth asking, once: {self.question.text}"
        if self.topics:
            yield f"Main topics: {', '.join(f'{topic} {share * 100:.0f} %' for topic, share in self.topics)}."
        if self.recency is not None:
            yield _LAST_ACTIVE[self.recency]
        if self.session is not None:
            session = self.session
            yield f"Session: {session.turns} turns, {session.negative_share * 100:.0f} % of them disliked."
        for strength, heading in _HEADINGS.items():
            if found := [preference.text() for preference in self.preferences if preference.strength == strength]:
                yield f"{heading}: {'; '.join(found)}."
        if self.unsure:
            yield f"Not known: {', '.join(self.unsure)}."


def recency_of(activity: Activity) -> Recency:
    """Return the shortest window with a turn.

    >>> recency_of(Activity(0, 3, 9))
    'day'
    """
    if activity.hour:
        return "hour"
    return "day" if activity.day else "week" if activity.week else "earlier"
