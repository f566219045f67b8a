"""Tables of rejects, of one record, and of a retry."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from connectors.kafka.times import time_text
from dataflows.rejects.advice import advice
from dataflows.rejects.finding import Found, Missing
from dataflows.rejects.listing import Listing
from dataflows.rejects.retry import Outcome, Retried
from dataflows.rejects.stored import Mark, StoredReject

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.FED: "fed",
    Outcome.RETRIED: "skipped: fed by an earlier retry",
    Outcome.REJECTED: "left: the workers would still reject it",
    Outcome.LATE: "left: the workers would reject it as late",
    Outcome.LOOSER: "left: the repair is less restrictive, or of another user",
    Outcome.MISSING: "left: the record is not at its origin",
}
"""Text of each outcome."""


class Shown(NamedTuple):
    """One reject with its record."""

    reject: StoredReject
    found: Found | Missing
    marks: Sequence[Mark]
    with_content: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `--json`; the content only if it was asked for."""
        reject, text = self.reject, advice(self.reject.reason, self.reject.control)
        document = {
            "origin": reject.name,
            "reason": reject.reason,
            "detail": reject.detail,
            "control": reject.control,
            "at": reject.at,
            "meaning": text.meaning,
            "step": text.step,
            "found": isinstance(self.found, Found),
            "record": record_text(self.found),
            "retried": [{"at": mark.at, "to": mark.to} for mark in self.marks],
        }
        return document | {"content": self.content} if self.with_content else document

    @property
    def content(self) -> str | None:
        """Text of the record, with escapes for invalid UTF-8; None without a record."""
        return self.found.record.value.decode(errors="backslashreplace") if isinstance(self.found, Found) else None


def record_text(found: Found | Missing) -> str:
    """Return whether the record was found, without a part of it."""
    if isinstance(found, Missing):
        return found.text
    return f"found, {len(found.record.value):,} bytes; the hash is that of the reject"


def listing_tables(found: Listing) -> list[Table]:
    """Return the counts, then the newest rejects."""
    tables = [_counts("control events, not carried out", found.controls), _counts("other records", found.others)]
    if found.shown:
        tables.append(_rejects(found.shown))
    notes = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    notes.add_row("records fed back", f"{found.retried:,}")
    if found.unreadable:
        notes.add_row("lines that are no rejects", f"{found.unreadable:,}")
    return [*tables, notes]


def _counts(heading: str, counts: Counter[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(heading, min_width=32)
    table.add_column(f"{counts.total():,}", justify="right")
    for reason, count in counts.most_common():
        table.add_row(f"  {reason}", f"{count:,}")
    return table


def _rejects(rejects: Sequence[StoredReject]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("origin", "reason", "detail", "control", "time"):
        table.add_column(heading, overflow="fold")
    for each in rejects:
        table.add_row(*map(Text, (each.name, each.reason, each.detail, each.control, time_text(each.at))))
    return table


def shown_table(shown: Shown) -> Table:
    """Return the reject, its record and the step that follows."""
    reject, text = shown.reject, advice(shown.reject.reason, shown.reject.control)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "origin": reject.name,
        "reason": f"{reject.reason}: {text.meaning}",
        "detail": reject.detail or "–",
        "control": reject.control or "no control event",
        "rejected": time_text(reject.at),
        "record": record_text(shown.found),
        "retried": ", ".join(f"{time_text(mark.at)} into {mark.to}" for mark in shown.marks) or "no",
        "to do": text.step,
    }
    for name, value in rows.items():
        table.add_row(name, Text(value))
    if shown.with_content and shown.content is not None:
        table.add_row("content", Text(shown.content))
    return table


def retried_table(done: Retried, to: str, *, is_dry: bool) -> Table:
    """Return a row per outcome, with the first places of the records that were left."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for outcome, text in OUTCOMES.items():
        if count := done.outcomes[outcome]:
            table.add_row(_fed_text(to, is_dry=is_dry) if outcome is Outcome.FED else text, f"{count:,}")
            if outcome not in {Outcome.FED, Outcome.RETRIED}:
                for origin, detail in done.examples[outcome]:
                    table.add_row(Text(f"  {origin}  {detail}", "dim"), "")
    if not done.outcomes.total():
        table.add_row("no reject was chosen", "")
    if done.more:
        table.add_row("more rejects than --limit: run the command again", "")
    return table


def _fed_text(to: str, *, is_dry: bool) -> str:
    return f"would be fed to {to}" if is_dry else f"fed to {to}"
