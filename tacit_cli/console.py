"""What people see: results on stdout, progress and problems on stderr."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from connectors.kafka.address import TopicAddress
from dataflows.job import Files
from state.counters import Counters
from tacit_cli.check import Finding

# Brackets and colons are what they are: paths and messages hold them.
out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """Print one JSON document, plain, for machines."""
    out.print(json.dumps(value, indent=2), soft_wrap=True)


def print_problems(problems: Sequence[str]) -> None:
    """Print what is wrong, all of it at once."""
    err.print(f"tacit: {len(problems)} problems" if len(problems) > 1 else "tacit:", style="bold red", end="")
    if len(problems) == 1:
        err.print(f" {problems[0]}", soft_wrap=True)
        return
    err.print()
    for problem in problems:
        err.print(f"  - {problem}", soft_wrap=True)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a table of what was checked."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = Text("ok", "green") if finding.ok else Text("wrong", "bold red")
        table.add_row(mark, finding.what, finding.detail)
    out.print(table)


@contextmanager
def progress(source: TopicAddress | Files, *, hidden: bool) -> Iterator[Callable[[Counters], None]]:
    """Show a bar of how far a replay is, on stderr; give the function that is told of progress.

    Of files the size is known, but compressed ones tell it only at their end; of a topic nothing is known before.
    """
    files = () if isinstance(source, TopicAddress) else source
    plain = files and all(path.suffix == ".jsonl" and path.is_file() for path in files)
    size = sum(path.stat().st_size for path in files) if plain else None
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=hidden or not err.is_terminal,
    ) as bar:
        task = bar.add_task("Replaying", total=size, events=0)

        def report(counters: Counters) -> None:
            bar.update(task, completed=counters.source.bytes, events=counters.source.records)

        yield report


@contextmanager
def share_done(what: str, *, hidden: bool) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr; give the function that is told what share is done, 0–1."""
    with Progress(console=err, transient=True, disable=hidden or not err.is_terminal) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
