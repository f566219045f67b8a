"""Names of a catalogue in the words of a language."""

from dataclasses import dataclass, field
from typing import Self

from tacit.contract.catalogue import Catalogue
from tacit.contract.labels import Labels, ValueLabel


@dataclass(frozen=True, slots=True)
class Names:
    """Labels of one language, and the catalogue's own names where a label is missing.

    >>> names = Names.of(Catalogue.load(), "en-GB")
    >>> names.facet("length"), names.value("length", "concise"), names.context("topic:code")
    ('Answer length', 'short', 'programming')
    """

    _catalogue: Catalogue = field(repr=False)
    _labels: Labels

    @classmethod
    def of(cls, catalogue: Catalogue, language: str) -> Self:
        """Return the names in a language (`de-AT`), by labels of the language, or of the one without a region."""
        labels = catalogue.labels
        return cls(catalogue, labels.get(language) or labels.get(language.partition("-")[0]) or Labels())

    def facet(self, name: str) -> str:
        """Return the label of a facet, else the title."""
        if label := self._labels.facets.get(name):
            return label
        facet = self._catalogue.facets.get(name)
        return name if facet is None else facet.title

    def value(self, facet: str, value: str) -> str:
        """Return the label of a value."""
        label = self._value(facet, value)
        return value if label is None else label.name

    def answers(self, facet: str, value: str, category: str) -> str | None:
        """Return words for answers with a value in a plural category; None without a label."""
        label = self._value(facet, value)
        return None if label is None else label.answers(category)

    def topic(self, name: str) -> str:
        """Return the label of a topic."""
        return self._labels.topics.get(name, name)

    def context(self, context: str) -> str:
        """Return the label of a context: `topic:` or `surface:`, and a name."""
        kind, _, name = context.partition(":")
        return (self._labels.topics if kind == "topic" else self._labels.surfaces).get(name, name)

    def feedback(self, kind: str) -> str | None:
        """Return the clause on a feedback kind, with a placeholder; None without a label."""
        return self._labels.feedback.get(kind)

    def _value(self, facet: str, value: str) -> ValueLabel | None:
        return self._labels.values.get(facet, {}).get(value)
