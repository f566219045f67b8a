"""Explanation of a user's values as text, with the numbers."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dataflows.control.why_document import Side, Why, WhyFacet
from tacit_cli.views.user_panel import utc

_WIDTH = 10


def why_panel(why: Why) -> RenderableType:
    """Return the sentences of each facet, and a row of numbers per value."""
    parts: list[RenderableType] = [_facts(why)]
    for facet in why.facets:
        parts += [Text(), *_facet(facet)]
    return Panel(Group(*parts), title=Text(why.user), title_align="left", expand=False, padding=(0, 1))


def _facts(why: Why) -> Text:
    consent = ", ".join(f"{name} {found.state}" for name, found in why.consent.items())
    return Text(f"consent: {consent}; newest event {utc(why.newest_ms)}", "dim")


def _facet(facet: WhyFacet) -> Iterator[RenderableType]:
    headline, *others = facet.text
    yield Text(headline, "bold")
    yield from (Text(f"  {sentence}") for sentence in others)
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for heading in (facet.facet, "liked", "", "differs by", "sd", "for", "against"):
        table.add_column(heading, no_wrap=True, justify="left" if heading in {facet.facet, "liked"} else "right")
    for value in facet.values:
        numbers = (f"{value.liked:.2f}", f"{value.mean:+z.2f}", f"{value.sd:.2f}")
        table.add_row(value.value, bar(value.liked), *numbers, _side(value.evidence_for), _side(value.evidence_against))
    yield table


def _side(side: Side) -> str:
    return f"{side.weight:.1f}" if side.weight else "–"


def bar(share: float) -> str:
    """Return a bar for a share, 0–1.

    >>> bar(0.5)
    '█████░░░░░'
    """
    full = round(_WIDTH * share)
    return "█" * full + "░" * (_WIDTH - full)
