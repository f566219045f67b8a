"""Facts that the page is made from."""

from dataclasses import dataclass

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import Gate
from tacit.contract.history import History
from tacit.contract.names import Names
from tacit.reader.adaptation import Adaptation
from tacit.reader.choice import Choice
from tacit_service.page.language import Language

_UNIT = "page"
"""Conversation of the choice that the page shows, without exploration."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a user, with the words of a language."""

    adaptation: Adaptation
    gate: Gate
    history: History
    """The user's own actions, and the changes of served values."""
    catalogue: Catalogue
    language: Language
    now_ms: int
    names: Names
    """Names of the catalogue in the language."""
    expires_at_ms: int | None = None
    """Time at which the signals expire without a further event; None without an end."""

    @property
    def is_withheld(self) -> bool:
        """True if the user denies the use of what was learned: readers see neither signals nor a profile."""
        return self.adaptation.status == "opted_out"

    def choice(self, context: str = "") -> Choice:
        """Return the values that an answer has, in general or in a context (`topic:email`)."""
        kind, _, name = context.partition(":")
        topic, surface = (name, None) if kind == "topic" else (None, name or None)
        return self.adaptation.choose(_UNIT, topic=topic, surface=surface, explore=False)

    def day(self, at_ms: int) -> str:
        """Return a day in words."""
        return self.language.day(at_ms, self.now_ms)

    def moment(self, at_ms: int) -> str:
        """Return a time in words."""
        return self.language.moment(at_ms, self.now_ms)

    def titled(self, facet: str, value: str | None) -> str:
        """Return facet and value in words."""
        return self.language.gettext(
            "%(facet)s: %(value)s", facet=self.names.facet(facet), value=self.value(facet, value)
        )

    def value(self, facet: str, value: str | None) -> str:
        """Return a value in words; None means no value."""
        return self.language.gettext("no setting") if value is None else self.names.value(facet, value)
