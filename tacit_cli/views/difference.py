"""Tables of the differences between two namespaces."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from connectors.redis.cause import Cause
from connectors.redis.difference import MOVES, PROFILE_PARTS, Difference

CAUSES: Mapping[Cause, str] = {
    Cause.CONSENT: "consent or a wipe",
    Cause.PIN: "a pin, which readers of both get",
    Cause.EXPIRED: "expired in one of them",
    Cause.MISSING_USER: "no signals of the user in one of them",
    Cause.UNREADABLE: "an unreadable field",
    Cause.CATALOGUE: "another model or catalogue version",
    Cause.EVIDENCE: "other events were seen",
    Cause.REBUILT: "a rebuild, which decides by the newest population version",
    Cause.GOES: "a history that was read in several goes",
    Cause.POPULATION: "another population version",
    Cause.UNEXPLAINED: "unexplained",
}
"""Text of each cause."""


def difference_tables(found: Difference) -> list[Table]:
    """Return the counts of users, a row per facet, the changes of tier, source and confidence, and the causes."""
    tables = [_users(found)]
    if found.facets:
        tables.append(_facets(found))
    if changes := _changes(found):
        tables.append(_counts("change of signals", changes))
    if found.causes:
        causes = {CAUSES[cause]: found.causes[cause] for cause in Cause if found.causes[cause]}
        tables.append(_counts("differences by cause", causes))
    return tables


def _users(found: Difference) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_row(Text("users in both", "bold"), Text(f"{found.both:,}", "bold"), _sample(found))
    tolerance = f"within {found.terms.tolerance:g}" if found.terms.tolerance else "equal"
    table.add_row("  the same", f"{found.same:,}", f"value, tier, source, profile; confidence {tolerance}")
    table.add_row("  identical", f"{found.identical:,}", "byte for byte")
    table.add_row("  opted out in one of them", f"{found.opted_out_in_one:,}", "")
    if profiles := found.profile.both - found.profile.same:
        parts = [f"{part} {count:,}" for part in PROFILE_PARTS if (count := getattr(found.profile, part))]
        table.add_row("  another profile", f"{profiles:,}", ", ".join(parts))
    for name, count in ((found.first, found.profile.only_first), (found.second, found.profile.only_second)):
        if count:
            table.add_row(f"  profile in {name} only", f"{count:,}", "")
    table.add_row(f"users in {found.first} only", f"{found.only_first:,}", "")
    table.add_row(f"users in {found.second} only", f"{found.only_second:,}", "")
    if found.unreadable:
        table.add_row("fields that are not signals", f"{found.unreadable:,}", "readers skip them")
    return table


def _sample(found: Difference) -> str:
    return "" if found.terms.sample is None else f"of a sample of {found.terms.sample:,}"


def _facets(found: Difference) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in (
        "facet", "in both", "the\nsame", "other\nvalue", "other\ntier", "other\nsource", "confidence\nchange",
        f"{found.first}\nonly", f"{found.second}\nonly",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "facet" else "right", vertical="bottom", no_wrap=True)
    for name, facet in sorted(found.facets.items()):
        change = f"{facet.confidence_moved / facet.confident:.3f}" if facet.confident else "–"
        shares = [f"{count:,} ({count / facet.both:.0%})" if facet.both else "–" for count in (facet.value, facet.tier)]
        counts = [f"{count:,}" for count in (facet.only_first, facet.only_second)]
        table.add_row(name, f"{facet.both:,}", f"{facet.same:,}", *shares, f"{facet.source:,}", change, *counts)
    return table


def _changes(found: Difference) -> dict[str, int]:
    """Return the number of signals by change of tier, source and confidence."""
    pairs = [("tier", found.tiers), ("source", found.sources)]
    changes = {f"{kind} {one} → {other}": n for kind, counts in pairs for (one, other), n in sorted(counts.items())}
    ends = [f"up to {end:g}" for end in MOVES[1:]]
    names = [f"confidence by {text}" for text in (*ends, f"more than {MOVES[-1]:g}")]
    return changes | {name: count for name, count in zip(names, found.moves[1:], strict=True) if count}


def _counts(heading: str, counts: Mapping[str, int]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(heading)
    table.add_column("", justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    return table
