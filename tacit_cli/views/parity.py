"""Tables of a parity run."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from dataflows.parity.measure import Parity, Standing
from tacit_cli.views.difference import difference_tables

STANDINGS: Mapping[Standing, str] = {
    Standing.COMPARED: "compared",
    Standing.NEWER: "not comparable: events behind the end of the history",
    Standing.INCOMPLETE: "not comparable: the history lacks earlier events",
    Standing.WITHOUT_HISTORY: "not comparable: no signal from the history",
    Standing.GONE: "not comparable: the signals ended during the run",
}
"""Text of each standing."""


def parity_tables(found: Parity) -> list[Table]:
    """Return the rate and the users by standing, then the differences."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    rate = "no signal could be compared" if found.rate is None else f"{found.rate:.2%}"
    table.add_row(Text("rate of equal signals", "bold"), Text(rate, "bold"))
    table.add_row("signals and profiles, compared", f"{found.compared:,}")
    table.add_row("population version", f"{found.population}" if found.population else "none")
    for standing, text in STANDINGS.items():
        if count := found.users[standing]:
            table.add_row(f"users, {text}", f"{count:,}")
    return [table, *difference_tables(found.difference)] if found.compared else [table]
