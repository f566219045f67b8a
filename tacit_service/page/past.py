"""Past of a user: changes of served values, and the user's own actions, which can be undone for a day."""

from collections.abc import Iterator
from dataclasses import dataclass

from tacit.contract.activity import DAY_MS
from tacit.contract.gates import Scope
from tacit.contract.history import Action, Change
from tacit_service.page.facts import Facts
from tacit_service.page.language import Language
from tacit_service.undo import undoable

RECENT_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class PastChange:
    """Change of a served value."""

    time: str
    text: str
    is_recent: bool
    """True for the last seven days."""


@dataclass(frozen=True, slots=True)
class PastAction:
    """Action of the user."""

    name: str
    """Id for the undo."""
    time: str
    text: str
    can_undo: bool


def changes(facts: Facts) -> Iterator[PastChange]:
    """Yield the changes, the newest first."""
    for change in reversed(facts.history.changes):
        is_recent = change.at_ms > facts.now_ms - RECENT_MS
        yield PastChange(facts.moment(change.at_ms), change_text(facts, change), is_recent)


def actions(facts: Facts) -> Iterator[PastAction]:
    """Yield the user's own actions, the newest first."""
    can_be_undone = {id_of(action) for action in undoable(facts.history, facts.now_ms)}
    for action in reversed(facts.history.actions):
        name = id_of(action)
        can_undo = name in can_be_undone
        can_be_undone.discard(name)  # an older one of the same second has the same id
        yield PastAction(name, facts.moment(action.at_ms), _action_text(facts, action), can_undo)


def id_of(action: Action) -> str:
    """Return a text that names an action among the undoable ones."""
    return f"{action.at_ms}-{action.facet or '-'.join(action.scopes)}"


def change_text(facts: Facts, change: Change) -> str:
    """Return a change in words."""
    _ = facts.language.gettext
    return _(
        "%(facet)s: from “%(before)s” to “%(after)s”. %(source)s",
        facet=facts.names.facet(change.facet),
        before=_value(facts, change.facet, change.before),
        after=_value(facts, change.facet, change.value),
        source=_source_text(change.source, facts.language),
    )


def _value(facts: Facts, facet: str, value: str | None) -> str:
    return facts.language.gettext("as usual") if value is None else facts.names.value(facet, value)


def scope_text(scope: Scope, language: Language) -> str:
    """Return a scope in words."""
    _ = language.gettext
    return {"learn": _("learning"), "use": _("use in answers"), "explore": _("trying things out")}[scope]


def _source_text(source: str, language: Language) -> str:
    _ = language.gettext
    if source == "user":
        return _("You chose it.")
    if source == "learned":
        return _("Learned from your feedback.")
    return _("As most users like it.")


def _action_text(facts: Facts, action: Action) -> str:
    _ = facts.language.gettext
    if action.action == "pin":
        return _("You chose %(setting)s.", setting=facts.titled(action.facet or "", action.value))
    if action.action == "unpin":
        return _("You let it learn again: %(facet)s.", facet=facts.names.facet(action.facet or ""))
    if action.action == "forget":
        if action.facet is None:
            return _("You had everything forgotten.")
        return _("You had this forgotten: %(facet)s.", facet=facts.names.facet(action.facet))
    scopes = facts.language.all_of(scope_text(scope, facts.language) for scope in action.scopes)
    if action.granted:
        return _("You turned on: %(scopes)s.", scopes=scopes)
    return _("You turned off: %(scopes)s.", scopes=scopes)
