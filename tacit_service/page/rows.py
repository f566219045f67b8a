"""Rows of the page, a row per facet."""

from collections.abc import Iterator
from dataclasses import dataclass

from tacit.contract.gates import GatePin
from tacit.contract.signals import Signal
from tacit.reader.choice import Choice
from tacit_service.page.facts import Facts
from tacit_service.page.language import Language
from tacit_service.page.reasons import reasons

_VERY_FROM, _SURE_FROM, _FAIRLY_FROM = 0.95, 0.8, 0.6
"""Confidences from which a value is very sure, sure and fairly sure; the last two are the limits of the tiers."""


@dataclass(frozen=True, slots=True)
class Option:
    """Value that the user can choose."""

    value: str
    label: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Value that differs on a topic or surface."""

    context: str
    value: str
    sure: str


@dataclass(frozen=True, slots=True)
class Row:
    """Row of a facet."""

    facet: str
    title: str
    value: str
    origin: str
    """Reason for the value in a few words."""
    is_pinned: bool
    is_choice: bool
    """The value is the user's own setting, which may wait."""
    is_learned: bool
    """Feedback of the user is behind the value."""
    confidence: float | None
    sure: str
    """Confidence in words; empty if not known."""
    why: tuple[str, ...]
    differences: tuple[Difference, ...]
    options: tuple[Option, ...]


def rows(facts: Facts) -> Iterator[Row]:
    """Yield the row of each facet, in the catalogue's order."""
    choice = facts.choice()
    for name, facet in facts.catalogue.facets.items():
        signal, pin = facts.adaptation.signals.get(name), facts.gate.pins.get(name)
        value = choice.values.get(name)
        own = None if signal is None or signal.source != "learned" else signal
        confidence = own.confidence if own and own.value == value else None
        yield Row(
            facet=name,
            title=facts.names.facet(name),
            value=facts.value(name, value),
            origin=_origin(facts, name, choice, pin),
            is_pinned=pin is not None and pin.value is not None,
            is_choice=choice.strengths.get(name) == "pin",
            is_learned=own is not None,
            confidence=confidence,
            sure="" if confidence is None else sure(confidence, facts.language),
            why=tuple(_why(facts, name, own, value)),
            differences=tuple(_differences(facts, name, own)),
            options=tuple(Option(each, facts.names.value(name, each), each == value) for each in facet.values),
        )


def sure(confidence: float, language: Language) -> str:
    """Return a confidence as words and number."""
    _, share = language.gettext, language.percent(confidence)
    if confidence >= _VERY_FROM:
        return _("very sure (%(share)s)", share=share)
    if confidence >= _SURE_FROM:
        return _("sure (%(share)s)", share=share)
    if confidence >= _FAIRLY_FROM:
        return _("fairly sure (%(share)s)", share=share)
    return _("not sure yet (%(share)s)", share=share)


def _origin(facts: Facts, name: str, choice: Choice, pin: GatePin | None) -> str:
    _ = facts.language.gettext
    if pin is not None and pin.value is not None:
        chosen = _("You chose this on %(day)s.", day=facts.day(pin.at_ms))
        if choice.strengths.get(name) == "pin":
            return chosen
        return _("You chose “%(value)s”, which waits.", value=facts.names.value(name, pin.value))
    strength = choice.strengths.get(name, "default")
    if strength == "apply":
        return _("Learned from your feedback.")
    if strength == "hint":
        return _("Learned from your feedback: answers lean to it.")
    signal = facts.adaptation.signals.get(name)
    if signal is not None and signal.source == "learned":
        return _("Your feedback does not show a clear preference yet.")
    if facts.is_withheld:
        return _("As usual for this assistant, while the use in answers is off.")
    if strength == "try" or (name in facts.adaptation.defaults and choice.policy == "learned"):
        return _("As most users like it. Nothing was learned from you yet.")
    return _("As usual for this assistant. Nothing was learned from you yet.")


def _why(facts: Facts, name: str, signal: Signal | None, value: str | None) -> Iterator[str]:
    if signal is None:
        return
    _ = facts.language.gettext
    if signal.value != value:
        yield _("Your feedback points to “%(value)s”.", value=facts.names.value(name, signal.value))
    yield from reasons(signal, name, facts.catalogue, facts.names, facts.language)
    since_ms = max((change.at_ms for change in facts.history.changes if change.facet == name), default=None)
    if since_ms is not None and signal.value == value:
        yield _("In effect since %(day)s.", day=facts.day(since_ms))


def _differences(facts: Facts, name: str, signal: Signal | None) -> Iterator[Difference]:
    for entry in () if signal is None else signal.contexts:
        value = facts.names.value(name, entry.value)
        yield Difference(facts.names.context(entry.context), value, sure(entry.confidence, facts.language))
