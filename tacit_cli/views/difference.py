"""Tables of the differences between two namespaces."""

from rich.table import Table
from rich.text import Text

from connectors.redis.namespaces import Difference


def difference_tables(found: Difference) -> list[Table]:
    """Return the counts of users, and a row per facet."""
    tables = [_users(found)]
    return [*tables, _facets(found)] if found.facets else tables


def _users(found: Difference) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_row(Text("users in both", "bold"), Text(f"{found.both:,}", "bold"), "")
    table.add_row("  every facet equal", f"{found.same:,}", "value, tier and source")
    table.add_row("  opted out in one of them", f"{found.opted_out_in_one:,}", "")
    table.add_row(f"users in {found.first} only", f"{found.only_first:,}", "")
    table.add_row(f"users in {found.second} only", f"{found.only_second:,}", "")
    if found.unreadable:
        table.add_row("fields that are not signals", f"{found.unreadable:,}", "readers skip them")
    return table


def _facets(found: Difference) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in (
        "facet", "in both", "other\nvalue", "other\ntier", "other\nsource", "confidence\nchange",
        f"{found.first}\nonly", f"{found.second}\nonly",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "facet" else "right", vertical="bottom", no_wrap=True)
    for name, facet in sorted(found.facets.items()):
        change = f"{facet.confidence_moved / facet.confident:.3f}" if facet.confident else "–"
        shares = [f"{count:,} ({count / facet.both:.0%})" if facet.both else "–" for count in (facet.value, facet.tier)]
        counts = [f"{count:,}" for count in (facet.only_first, facet.only_second)]
        table.add_row(name, f"{facet.both:,}", *shares, f"{facet.source:,}", change, *counts)
    return table
