"""Sentences on the feedback behind a value."""

from collections.abc import Iterator, Sequence

from tacit.contract.catalogue import Catalogue
from tacit.contract.names import Names
from tacit.contract.signals import Signal
from tacit_service.page.language import Language

Kinds = Sequence[tuple[str, int]]
"""Pairs of a feedback kind and a count."""

EARLIER_FROM = 0.5
"""Least weight of earlier feedback that a sentence mentions."""


def reasons(signal: Signal, facet: str, catalogue: Catalogue, names: Names, language: Language) -> Iterator[str]:
    """Yield sentences on the user's feedback for and against the value of a signal."""
    _ = language.gettext
    if signal.why:
        yield _("Because %(reasons)s.", reasons=clauses(signal.why, facet, signal.value, names, language))
    if signal.why_not:
        yield _("Against it: %(reasons)s.", reasons=clauses(signal.why_not, facet, signal.value, names, language))
    counted = sum(catalogue.feedback[kind].weight * count for kind, count in (*signal.why, *signal.why_not))
    if signal.evidence + signal.against > counted + EARLIER_FROM:
        yield _("Your earlier feedback counts, too.")


def clauses(kinds: Kinds, facet: str, value: str, names: Names, language: Language) -> str:
    """Return feedback on answers with a value in words."""
    return language.all_of(_clause(kind, count, facet, value, names, language) for kind, count in kinds)


def _clause(kind: str, count: int, facet: str, value: str, names: Names, language: Language) -> str:
    clause = names.feedback(kind)
    times = language.ngettext("once", "%(number)s times", count)
    if clause is None:
        return language.gettext("you gave the feedback “%(kind)s” %(times)s", kind=kind, times=times)
    answers = names.answers(facet, value, language.category(count))
    if answers is None:
        shown = f"{names.facet(facet)}: {names.value(facet, value)}"
        found = language.ngettext("%(number)s answer (%(value)s)", "%(number)s answers (%(value)s)", count, value=shown)
    else:
        found = f"{language.number(count)} {answers}"
    return clause.replace("{answers}", found).replace("{times}", times)
