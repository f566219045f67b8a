"""Table of checks."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tacit_cli.check import Finding


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return a row per check."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = Text("ok", "green") if finding.ok else Text("wrong", "bold red")
        table.add_row(mark, finding.what, finding.detail)
    return table
