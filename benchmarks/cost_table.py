"""Table of costs per event, as multiples of a bare River step and of one contender."""

from collections.abc import Mapping, Sequence
from statistics import median

from rich.table import Table

from benchmarks.contenders import Cost
from benchmarks.streams import Stream

_HEADINGS = ("", "CPU µs/event", "× River step", "× Bytewax job", "events/s", "start, CPU s")


def cost_table(stream: Stream, costs: Mapping[str, Cost], base: str) -> Table:
    """Return the costs in the order of the contenders; `base` names the contender of the column "× Bytewax job"."""
    title = f"{stream.title}: {stream.events:,} events, of which {stream.measured:,} are measured"
    table = plain_table(title, _HEADINGS)
    river_us = median(cost.river_us for cost in costs.values())  # one speed of the machine for all rows
    steps = costs[base].river_steps
    table.add_row("bare River step", f"{river_us:.1f}", "1.0", f"{1 / steps:.2f}", "", "")
    for name, cost in costs.items():
        table.add_row(
            name,
            f"{cost.river_steps * river_us:.1f}",
            f"{cost.river_steps:.1f}",
            f"{cost.river_steps / steps:.2f}",
            f"{cost.events_per_s:,.0f}",
            f"{cost.start_cpu_s:.1f}",
        )
    return table


def plain_table(title: str, headings: Sequence[str]) -> Table:
    """Return a table without rules; columns with a heading are figures."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), header_style="dim"
    )
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    return table
