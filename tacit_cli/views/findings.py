"""Table of checks."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tacit_cli.finding import Finding


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return a row per check."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = Text("wrong", "bold red")
        if finding.ok:
            mark = Text("note", "yellow") if finding.warns else Text("ok", "green")
        table.add_row(mark, finding.what, finding.detail)
    return table
