"""Sentences of an explanation, for the user: unlike other texts of Tacit, these address the user as "you"."""

from collections.abc import Iterator
from datetime import UTC, datetime

from dataflows.control.why_document import ChangeDocument, Side, Value, WhyFacet, WithoutDocument
from tacit.contract.limits import Limit
from tacit.contract.signals import Tier

_LIMITS: dict[Limit, str] = {
    "uninformative_facet": "Among all users, this setting has not made answers better or worse, so it is not used.",
    "default_is_better": "The default is the best guess so far; what you did does not make another value likely.",
    "too_little_evidence": "There is too little feedback from you to be sure.",
}
_MOST_CHANGES = 3
_USE: dict[Tier, str] = {"apply": "", "hint": " Assistants only lean to it.", "default": " Assistants only try it."}
_FIRMNESS: dict[Tier, str] = {"apply": "and make it certain", "hint": "as a lean", "default": "as a value to try only"}
_BECOMES: dict[Tier, str] = {"apply": ".", "hint": ", as a first lean.", "default": ", as a value to try."}
_REMOVED = {"for": "what speaks for it", "against": "what speaks against it", "all": "all your feedback on it"}


def sentences(facet: WhyFacet, *, learns: bool, uses: bool) -> Iterator[str]:
    """Yield the explanation of a facet."""
    yield _headline(facet, uses=uses)
    yield from _pin(facet)
    (value,) = (each for each in facet.values if each.value == facet.learned.value)
    yield runner_up(facet.learned.runner_up, facet.learned.gap)
    yield from _evidence(value)
    if facet.has_uncounted:
        yield "Older feedback of yours counts as well; back then it was not noted for which value it was."
    yield from _default(facet)
    yield from (_LIMITS[limit] for limit in facet.learned.limited_by)
    yield from (_without(each) for each in facet.without)
    yield from _changes(facet, learns=learns)


def day(at_ms: int) -> str:
    """Return the day of a time, UTC.

    >>> day(1795297433438)
    '2026-11-21'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def runner_up(name: str, gap: float) -> str:
    """Return the runner-up of a value in words; `gap` is the value's chance of a like less that of the runner-up.

    >>> runner_up("balanced", 0.124)
    'Next best is balanced: of 100 answers you would like about 12 fewer.'
    >>> runner_up("balanced", 0.004)
    'Next best is balanced: you would like about as many answers.'
    """
    fewer = round(100 * gap)
    if not fewer:
        return f"Next best is {name}: you would like about as many answers."
    return f"Next best is {name}: of 100 answers you would like about {abs(fewer)} {'fewer' if fewer > 0 else 'more'}."


def _headline(facet: WhyFacet, *, uses: bool) -> str:
    served, learned, start = facet.served, facet.learned, f"{facet.title}: {facet.served.value or 'no value'}"
    if not uses:
        return f"{start}. You do not want assistants to use what was learned, so they take the default."
    if served.source == "user" and facet.pin:
        return f"{start}. You set this yourself on {day(facet.pin.at_ms)}."
    if served.source == "default":
        return f"{start}, the default."
    sure = f"{learned.confidence:.0%} sure that it suits you better than {learned.runner_up}"
    reason = "from your feedback" if served.source == "learned" else "from the feedback of all users"
    return f"{start}. Tacit is {sure}, {reason}.{_USE[served.tier]}"


def _pin(facet: WhyFacet) -> Iterator[str]:
    if facet.pin is None:
        return
    if facet.pin.value is None:
        yield f"You removed your own setting on {day(facet.pin.at_ms)}."
    elif facet.pin.in_force:
        if facet.learned.tier == "default" and facet.without_pin == facet.default:
            yield f"Without your setting it would be the default, {facet.default or 'no value'}."
        else:
            yield f"Without your setting it would be {facet.learned.value}, {facet.learned.confidence:.0%} sure."
    elif facet.served.source != "default":
        yield f"You set {facet.pin.value} on {day(facet.pin.at_ms)}; assistants do not offer this value any more."


def _evidence(value: Value) -> Iterator[str]:
    for side, name in ((value.evidence_for, "For"), (value.evidence_against, "Against")):
        yield f"{name} {value.value}: {_side(side)}."


def _side(side: Side) -> str:
    parts = [f"{kind} × {count}" for kind, count in side.kinds.items()]
    if side.earlier_weight:
        parts.append(f"earlier feedback with a weight of {side.earlier_weight:.1f}")
    if not parts:
        return "nothing you did"
    return f"{', '.join(parts)}; the newest on {day(side.newest_ms)}, together a weight of {side.weight:.1f} today"


def _default(facet: WhyFacet) -> Iterator[str]:
    if facet.default is None:
        return
    chosen = "what suits most users" if facet.default_of == "population" else "the choice of this assistant"
    yield f"For users who gave no feedback it is {facet.default}, {chosen}."


def _without(each: WithoutDocument) -> str:
    found, parts = each.prediction, []
    if each.pieces:
        parts.append("1 piece of feedback" if each.pieces == 1 else f"{each.pieces} pieces of feedback")
    if each.earlier_weight:
        parts.append(f"earlier feedback with a weight of {each.earlier_weight:.1f}")
    about = "about " if each.basis == "sums" else ""
    text = f"Without {_REMOVED[each.removed]} ({' and '.join(parts)}) it would be {found.value}"
    text += f", {about}{found.confidence:.0%} sure (tier {found.tier})"
    return text + ("; older feedback cannot be taken out, and is still in this." if each.basis == "partial" else ".")


def _changes(facet: WhyFacet, *, learns: bool) -> Iterator[str]:
    if not learns:
        yield "Nothing is learned from you, so feedback changes nothing."
        return
    if not facet.changes:
        yield "No 20 pieces of the same feedback would change it."
    now = facet.without_pin
    moved = [change for change in facet.changes if change.becomes != now]
    firm = [change for change in facet.changes if change.becomes == now]
    below = "Below your setting, " if facet.served.source == "user" else ""
    for change in [*moved[:_MOST_CHANGES], *firm][:_MOST_CHANGES]:
        yield below + _change(change, now, facet.default)


def _change(change: ChangeDocument, now: str | None, default: str | None) -> str:
    feedback = f"{change.pieces} more × {change.kind} on {change.value} answers"
    value, is_default = change.becomes or "no value", change.tier == "default" and change.becomes == default
    if change.becomes == now:
        return f"{feedback} would leave {value} {'as the default only' if is_default else _FIRMNESS[change.tier]}."
    return f"{feedback} would make it {value}{'.' if is_default else _BECOMES[change.tier]}"
