"""Switches of consent, a switch per scope."""

from collections.abc import Iterator
from dataclasses import dataclass

from tacit.contract.gates import SCOPES, Scope, ScopeConsent
from tacit_service.page.facts import Facts
from tacit_service.page.language import Language


@dataclass(frozen=True, slots=True)
class Switch:
    """Switch of a scope."""

    scope: Scope
    is_on: bool
    title: str
    state: str
    """Since when, and by whose choice."""
    meaning: str
    note: str
    """Reason for which the switch has no effect at present; empty if the switch has an effect."""
    warning: str
    """Loss by turning off, which needs a second step; empty without a loss."""


def switches(facts: Facts) -> Iterator[Switch]:
    """Yield the switch of each scope."""
    for scope in SCOPES:
        consent: ScopeConsent = getattr(facts.gate, scope)
        is_on = _is_on(facts, scope, consent)
        title, meaning = _texts(scope, facts.language)
        warning = facts.language.gettext("This also deletes what was learned so far.") if scope == "learn" else ""
        yield Switch(scope, is_on, title, _state(facts, consent, is_on=is_on), meaning, _note(facts, scope), warning)


def _is_on(facts: Facts, scope: Scope, consent: ScopeConsent) -> bool:
    """Return whether the scope is allowed, by the rules of docs/contract.md, "Consent"."""
    if consent.state in {"granted", "denied"}:
        return consent.state == "granted"
    if scope == "use":
        return True
    is_allowed = facts.catalogue.consent.default == "granted"
    return is_allowed and not (scope == "explore" and consent.state == "lapsed")


def _texts(scope: Scope, language: Language) -> tuple[str, str]:
    _ = language.gettext
    if scope == "learn":
        return _("Learn from my feedback"), _(
            "Your assistant notes which answers you like, and of which kind they are. Off: it notes nothing."
        )
    if scope == "use":
        return _("Use it in answers"), _(
            "Answers follow what was learned and what you chose. Off: answers are as for a new user, "
            "and what was learned waits."
        )
    return _("Try things out"), _(
        "Now and then an answer is a little different, to find out whether you like it better. Off: never."
    )


def _state(facts: Facts, consent: ScopeConsent, *, is_on: bool) -> str:
    _ = facts.language.gettext
    day = facts.day(consent.since_ms)
    if consent.state == "granted":
        return _("On. You allowed it on %(day)s.", day=day)
    if consent.state == "denied":
        return _("Off. You turned it off on %(day)s.", day=day)
    if consent.state == "lapsed":
        if is_on:
            return _("On. Your permission ended on %(day)s, and this assistant does it unless you object.", day=day)
        return _("Off. Your permission ended on %(day)s, as you were away for long.", day=day)
    if is_on:
        return _("On. This assistant does it unless you object.")
    return _("Off, until you turn it on.")


def _note(facts: Facts, scope: Scope) -> str:
    _ = facts.language.gettext
    if scope != "explore":
        return ""
    if not facts.catalogue.explore:
        return _("This assistant tries nothing out at present.")
    if not facts.adaptation.consent.trains(facts.catalogue.consent.default):
        return _("Nothing is tried out while your assistant does not learn.")
    return ""
