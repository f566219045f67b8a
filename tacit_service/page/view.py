"""View of the page: all texts and numbers of the templates.

Every text comes from the message catalogues or from the deployment's catalogue, or is a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tacit_service.page.facts import Facts
from tacit_service.page.held import Held, held, never_kept, until
from tacit_service.page.past import PastAction, PastChange, actions, change_text, changes
from tacit_service.page.rows import Row, rows
from tacit_service.page.switches import Switch, switches


@dataclass(frozen=True, slots=True)
class View:
    """The page."""

    notices: tuple[str, ...]
    switches: tuple[Switch, ...]
    last_learned: str
    rows: tuple[Row, ...]
    held: Held | None
    is_withheld: bool
    never_kept: tuple[str, ...]
    until: tuple[str, ...]
    prompt: str
    """The exact words that the assistant gets; empty without a word."""
    prompts: tuple[tuple[str, str], ...]
    """Topic or surface, and differing words."""
    changes: tuple[PastChange, ...]
    actions: tuple[PastAction, ...]


def view(facts: Facts) -> View:
    """Return the view of the page."""
    return View(
        notices=tuple(_notices(facts)),
        switches=tuple(switches(facts)),
        last_learned=_last_learned(facts),
        rows=tuple(rows(facts)),
        held=held(facts),
        is_withheld=facts.is_withheld,
        never_kept=tuple(never_kept(facts)),
        until=tuple(until(facts)),
        prompt=facts.choice().prompt(),
        prompts=tuple(_prompts(facts)),
        changes=tuple(changes(facts)),
        actions=tuple(actions(facts)),
    )


def _notices(facts: Facts) -> Iterator[str]:
    _ = facts.language.gettext
    policy, status = facts.choice().policy, facts.adaptation.status
    if policy == "holdout":
        yield _("For a comparison, your answers are as usual for this assistant at present. Your own choices hold.")
    if policy == "apprentice":
        yield _("This assistant is still in training: answers are as usual. Your own choices hold.")
    if status == "absent":
        yield _("Assistants can read nothing about you: nothing was learned yet, or you were away for long.")
    if status == "aged":
        yield _("You have not used the assistant for a while. What was learned is kept for a limited time.")


def _last_learned(facts: Facts) -> str:
    _ = facts.language.gettext
    if facts.is_withheld:
        return _("What was learned waits, while the use in answers is off.")
    learned = [change for change in facts.history.changes if change.source == "learned"]
    if learned:
        last = learned[-1]
        return _(
            "Last thing learned, on %(day)s: %(change)s", day=facts.day(last.at_ms), change=change_text(facts, last)
        )
    signals = [(signal.at, name, signal) for name, signal in facts.adaptation.signals.items()]
    own = [entry for entry in signals if entry[2].source == "learned"]
    if not own:
        return _("Nothing was learned from your feedback yet.")
    at_ms, name, signal = max(own, key=lambda entry: entry[:2])
    return _(
        "Last thing learned, on %(day)s: %(change)s", day=facts.day(at_ms), change=facts.titled(name, signal.value)
    )


def _prompts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the words of each topic and surface for which a signal has another value."""
    usual = facts.choice().prompt()
    contexts = [entry.context for signal in facts.adaptation.signals.values() for entry in signal.contexts]
    for context in dict.fromkeys(contexts):
        words = facts.choice(context).prompt()
        if words != usual:
            yield facts.names.context(context), words
