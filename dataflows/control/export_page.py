"""Page of an export for the user: one HTML file, without scripts and without anything to load.

Each part has a heading, its facts, and a table. Chances are drawn as meters, which screen readers announce.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from dataflows.control.export_document import (
    About,
    ActivityPart,
    BeliefsPart,
    ConsentPart,
    Elsewhere,
    EmittedPart,
    EvidencePart,
    Export,
    InferredPart,
    PinsPart,
    RecentPart,
    RedisPart,
)
from dataflows.control.why_document import Side, WhyFacet

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; margin-top: 1.75rem; }
table { border-collapse: collapse; width: 100%; margin: 0.75rem 0; }
caption { text-align: left; font-style: italic; padding-bottom: 0.25rem; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8886; }
th { font-weight: 600; }
td.n { font-variant-numeric: tabular-nums; }
meter { width: 9rem; height: 1rem; vertical-align: middle; }
.about { font-size: 0.9rem; margin: 0.25rem 0; }
.wide { overflow-x: auto; }
code { overflow-wrap: anywhere; }
"""

_NAMES = {
    "consent": "What you allowed",
    "pins": "What you set yourself",
    "inferred": "What is inferred",
    "beliefs": "What was learned",
    "evidence": "Your feedback behind it",
    "activity": "Your activity",
    "recent": "Memory against repeats",
    "emitted": "Signals that were emitted",
    "redis": "What assistants can read",
}
"""Part → heading, in the order of the page."""


def page(export: Export) -> str:
    """Return the page as HTML; all text from the export is escaped."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            *_head(),
            "<body>",
            "<main>",
            *_body(export),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _head() -> Iterator[str]:
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
    yield '<meta name="referrer" content="no-referrer">'
    yield "<title>Your data in Tacit</title>"
    yield f"<style>{_STYLE}</style>"
    yield "</head>"


def _body(export: Export) -> Iterator[str]:
    yield "<h1>Your data in Tacit</h1>"
    yield (
        "<p>Tacit learns how you like an assistant to answer. "
        "This page shows all that it holds and infers about you.</p>"
    )
    yield f"<p>You are stored as <code>{escape(export.user)}</code>, in the region {escape(export.region)}. "
    yield f"The export was made on {_time(export.made_at_ms)}.</p>"
    if export.checkpoint is None:
        yield "<p><strong>The state of the worker holds nothing about you.</strong></p>"
    else:
        yield f"<p>It shows the state of {_time(export.checkpoint.at_ms)}; "
        yield f"your newest event is of {_time(export.checkpoint.newest_ms)}, "
        yield f"the count of events is {export.checkpoint.accepted_events}.</p>"
    for name, heading in _NAMES.items():
        part = getattr(export, name)
        if part is not None:
            yield f'<section aria-labelledby="{name}">'
            yield f'<h2 id="{name}">{escape(heading)}</h2>'
            yield from _about(part.about)
            yield from _PARTS[name](part)
            yield "</section>"
    yield from _elsewhere(export.elsewhere)


def _about(about: About) -> Iterator[str]:
    for name, text in (("Purpose", about.purpose), ("Source", about.source), ("Kept", about.retention)):
        yield f'<p class="about"><strong>{name}:</strong> {escape(text)}.</p>'


def _consent(consent: ConsentPart) -> Iterator[str]:
    rows = [(scope, found.state, _time(found.since_ms)) for scope, found in consent.scopes.items()]
    yield from _table("Consent by scope", ("scope", "state", "since"), rows)
    wipes = [("everything learned", _time(consent.wiped_ms)), ("everything", _time(consent.forgotten_ms))]
    wipes += [(facet, _time(at_ms)) for facet, at_ms in consent.facets_forgotten_ms.items()]
    yield from _table("Last deletions", ("what", "at"), wipes)


def _pins(pins: PinsPart) -> Iterator[str]:
    rows = [(facet, pin.value or "removed", _time(pin.at_ms)) for facet, pin in pins.facets.items()]
    yield from _table("Settings", ("setting", "value", "at"), rows)


def _inferred(inferred: InferredPart) -> Iterator[str]:
    for facet in inferred.facets:
        yield f"<h3>{escape(facet.title)}</h3>"
        yield "<ul>"
        yield from (f"<li>{escape(sentence)}</li>" for sentence in facet.text)
        yield "</ul>"
        yield from _values(facet)


def _values(facet: WhyFacet) -> Iterator[str]:
    headings = ("value", "chance that you like it", "feedback for", "feedback against")
    rows = [
        (escape(each.value), _meter(each.liked, f"{each.value}: chance of a like"), _side(each.evidence_for),
         _side(each.evidence_against))
        for each in facet.values
    ]  # fmt: skip
    yield from _html_table(f"Values of {facet.title}", headings, rows)


def _side(side: Side) -> str:
    kinds = ", ".join(f"{kind} × {count}" for kind, count in side.kinds.items())
    earlier = f"earlier, weight {side.earlier_weight:.1f}" if side.earlier_weight else ""
    return escape(", ".join(part for part in (kinds, earlier) if part) or "–")


def _beliefs(beliefs: BeliefsPart) -> Iterator[str]:
    rows = [
        (facet, value, f"{belief.mean:+.3f}", f"{belief.variance:.3f}")
        for facet, found in beliefs.facets.items()
        for value, belief in [*found.values.items(), ("(slope)", found.slope)]
    ]
    rows.append(("all answers", "(bias)", f"{beliefs.bias.mean:+.3f}", f"{beliefs.bias.variance:.3f}"))
    headings = ("setting", "value", "difference from all users", "variance")
    rows.append(("all answers", "(mood)", f"{beliefs.mood.mean:+.3f}", f"{beliefs.mood.variance:.3f}"))
    yield from _table("Beliefs", headings, rows)
    effects = [
        (found.context, each.facet, each.value or "(slope)", f"{each.effect:+.3f}")
        for found in beliefs.contexts
        for each in found.effects
    ]
    yield from _table("Effects of topics and surfaces", ("context", "setting", "value", "difference"), effects)


def _evidence(evidence: EvidencePart) -> Iterator[str]:
    rows = [
        (_time(piece.at_ms), piece.kind, f"{piece.weight:.2f}", ", ".join(f"{f} {value}" for f, value in piece.values))
        for piece in evidence.last
    ]
    yield from _table("The last pieces of feedback", ("at", "kind", "weight", "values of the answer"), rows)
    totals = [(each.facet, each.value, each.side, f"{each.weight:.2f}") for each in evidence.total]
    yield from _table("All feedback, fading", ("setting", "value", "side", "weight"), totals)
    sums = [
        (each.facet, each.value, each.side, f"{each.weight:.2f}", _time(each.day_ms)[:10]) for each in evidence.earlier
    ]
    yield from _table("Earlier feedback, as sums", ("setting", "value", "side", "weight", "newest on"), sums)


def _activity(activity: ActivityPart) -> Iterator[str]:
    windows = [(window, str(sum(panes))) for window, panes in activity.panes.items()]
    yield from _table("Answers in the last", ("window", "answers"), windows)
    most = max(activity.topics.values(), default=0.0) or 1.0
    topics = [
        (escape(topic), _meter(weight / most, f"{topic}: weight {weight:.1f}", f"{weight:.1f}"))
        for topic, weight in sorted(activity.topics.items(), key=lambda pair: -pair[1])
    ]
    yield from _html_table("Topics, fading by half in 7 days", ("topic", "weight"), topics)
    most = max(activity.hours, default=0.0) or 1.0
    hours = [
        (f"{hour:02d}–{hour + 1:02d} h", _meter(count / most, f"{hour} h: {count:.1f} answers", f"{count:.1f}"))
        for hour, count in enumerate(activity.hours)
        if count
    ]
    yield from _html_table("Hours of day (UTC), fading by half in 30 days", ("hour", "answers"), hours)
    sessions = [
        (_time(each.first_ms), _time(each.last_ms), str(each.turns), str(each.dislikes)) for each in activity.sessions
    ]
    yield from _table("Sessions", ("first answer", "last answer", "answers", "dislikes"), sessions)


def _recent(recent: RecentPart) -> Iterator[str]:
    yield (
        f"<p>Shortened fingerprints of the last {recent.event_hashes} events and "
        f"{recent.turn_hashes} answers; {recent.disliked_turns.bit_count()} of them were disliked.</p>"
    )


def _emitted(emitted: EmittedPart) -> Iterator[str]:
    rows = [
        (facet, found.value, found.tier, f"{found.confidence:.2f}", _time(found.at_ms))
        for facet, found in emitted.facets.items()
        if found.value is not None
    ]
    yield from _table("Last signal", ("setting", "value", "tier", "confidence", "at"), rows)


def _redis(redis: RedisPart) -> Iterator[str]:
    for found in redis.keys:
        yield f"<h3><code>{escape(found.key)}</code></h3>"
        until = "does not expire" if found.ttl_ms is None else f"expires in {found.ttl_ms / 86_400_000:.1f} days"
        yield f"<p>{until}</p>"
        content = found.content if isinstance(found.content, dict) else {"content": found.content}
        yield from _table("Content", ("name", "value"), [(name, str(value)) for name, value in content.items()])


_PARTS: dict[str, Callable[[Any], Iterator[str]]] = {
    "consent": _consent,
    "pins": _pins,
    "inferred": _inferred,
    "beliefs": _beliefs,
    "evidence": _evidence,
    "activity": _activity,
    "recent": _recent,
    "emitted": _emitted,
    "redis": _redis,
}


def _elsewhere(places: Iterable[Elsewhere]) -> Iterator[str]:
    yield '<section aria-labelledby="elsewhere">'
    yield '<h2 id="elsewhere">What this page does not show</h2>'
    rows = [(each.place, each.about.purpose, each.about.retention) for each in places]
    yield from _table("Other places", ("place", "purpose", "kept"), rows)
    yield "</section>"


def _table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Iterator[str]:
    yield from _html_table(caption, headings, [[escape(cell or "–") for cell in row] for row in rows])


def _html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table of cells in HTML; the first cell of a row is its heading. Without rows, a sentence."""
    if not rows:
        yield f"<p>{escape(caption)}: none.</p>"
        return
    yield '<div class="wide" tabindex="0">'
    yield f"<table><caption>{escape(caption)}</caption>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{escape(name)}</th>' for name in headings) + "</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _meter(share: float, label: str, text: str | None = None) -> str:
    shown = f"{share:.0%}" if text is None else text
    return f'<meter min="0" max="1" value="{share:.3f}" aria-label="{escape(label)}">{shown}</meter> {escape(shown)}'


def _time(at_ms: int) -> str:
    """Return a time in UTC to the minute; a dash for none."""
    if not at_ms:
        return "–"
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
