"""Explanation of a facet in plain words, from the state of the workers."""

from collections.abc import Iterator
from dataclasses import dataclass

from dataflows.control.why_document import ChangeDocument, Side, WhyFacet
from tacit.contract.names import Names
from tacit_service.page.language import Language
from tacit_service.page.reasons import EARLIER_FROM, clauses

_MOST_CHANGES = 3


@dataclass(frozen=True, slots=True)
class ValueView:
    """Value with the feedback for and against."""

    label: str
    liked: str
    """Chance that the user likes an answer with the value."""
    evidence_for: str
    evidence_against: str


@dataclass(frozen=True, slots=True)
class WhyView:
    """Explanation."""

    title: str
    values: tuple[ValueView, ...]
    sentences: tuple[str, ...]


def why_view(facet: WhyFacet, names: Names, language: Language, now_ms: int) -> WhyView:
    """Return the view of an explanation."""
    values = tuple(
        ValueView(
            names.value(facet.facet, each.value),
            language.percent(each.liked),
            _side(facet.facet, each.value, each.evidence_for, names, language, now_ms),
            _side(facet.facet, each.value, each.evidence_against, names, language, now_ms),
        )
        for each in facet.values
    )
    return WhyView(names.facet(facet.facet), values, tuple(_sentences(facet, names, language)))


def _side(facet: str, value: str, side: Side, names: Names, language: Language, now_ms: int) -> str:
    _ = language.gettext
    parts = [clauses(tuple(side.kinds.items()), facet, value, names, language)] if side.kinds else []
    if side.earlier_weight > EARLIER_FROM:
        parts.append(_("earlier feedback"))
    if not parts:
        return _("nothing")
    day = language.day(side.newest_ms, now_ms)
    return _("%(feedback)s; the newest on %(day)s", feedback=language.all_of(parts), day=day)


def _sentences(facet: WhyFacet, names: Names, language: Language) -> Iterator[str]:
    _ = language.gettext
    for each in facet.without:
        if each.removed == "all":
            value = names.value(facet.facet, each.prediction.value)
            yield _("Without all this feedback it would be “%(value)s”.", value=value)
    found = [change for change in facet.changes if change.becomes not in (None, facet.without_pin)]
    for change in found[:_MOST_CHANGES]:
        yield _change(facet.facet, change, names, language)


def _change(facet: str, change: ChangeDocument, names: Names, language: Language) -> str:
    return language.gettext(
        "It would become “%(value)s” with this in addition: %(feedback)s.",
        value=names.value(facet, change.becomes or ""),
        feedback=clauses(((change.kind, change.pieces),), facet, change.value, names, language),
    )
