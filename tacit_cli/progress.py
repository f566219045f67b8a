"""Progress on stderr: a bar on a terminal, a line every ten seconds elsewhere, JSON lines on request."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic

import structlog
import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from dataflows.job import Files
from dataflows.runtime.progress import Meter, Reached
from state.counters import Counters
from tacit_cli.console import err

LINE_EVERY_S = 10.0
"""Time between lines where there is no terminal."""

_LOGGER = "tacit.progress"

Show = Callable[[Reached], None]


@contextmanager
def replay_progress(files: Files, *, hidden: bool, as_json: bool = False) -> Iterator[Callable[[Counters], None]]:
    """Show the progress of a replay, and yield the function that updates it.

    Args:
        files: files, with a total of bytes on disk; none for topics, with a total of records.
        hidden: True shows nothing.
        as_json: True prints lines of JSON, also on a terminal.
    """
    meter = Meter(files)
    if hidden:
        yield lambda _: None
    elif err.is_terminal and not as_json:
        with _bar() as show:
            yield lambda counters: show(meter.measure(counters))
    else:
        yield _lines(meter, _log_line if as_json else _print_line)


@contextmanager
def _bar() -> Iterator[Show]:
    columns = (TextColumn("Replaying"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=None, text="")

        def show(reached: Reached) -> None:
            total = None if reached.share is None else 1.0
            bar.update(task, total=total, completed=reached.share or 0.0, text=_text(reached))

        yield show


def _lines(meter: Meter, show: Show) -> Callable[[Counters], None]:
    """Return a function that shows the progress every `LINE_EVERY_S`."""
    shown_s = monotonic()

    def report(counters: Counters) -> None:
        nonlocal shown_s
        reached = meter.measure(counters)
        if monotonic() - shown_s >= LINE_EVERY_S:
            shown_s = monotonic()
            show(reached)

    return report


def _print_line(reached: Reached) -> None:
    share = "" if reached.share is None else f"{reached.share:.0%}, "
    typer.echo(f"tacit: replay: {share}{_text(reached)}", err=True)


def _log_line(reached: Reached) -> None:
    logging.getLogger(_LOGGER).setLevel(logging.INFO)  # a replay logs warnings only
    structlog.get_logger(_LOGGER).info("replay.progress", **reached.as_dict())


def _text(reached: Reached) -> str:
    """Return the figures that a bar does not show.

    >>> _text(Reached(1200, 300.4, None, None, None, {}))
    '1,200 events, 300/s'
    """
    parts = [f"{reached.records:,} events", f"{reached.rate:,.0f}/s"]
    if reached.left_s is not None:
        parts.append(f"{timedelta(seconds=round(reached.left_s))} left")
    if reached.event_ms is not None:
        parts.append(f"event time {datetime.fromtimestamp(reached.event_ms / 1000, UTC):%Y-%m-%d %H:%M}Z")
    if reached.rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in reached.rejected.items())
        parts.append(f"rejected {sum(reached.rejected.values()):,} ({reasons})")
    return ", ".join(parts)


@contextmanager
def share_progress(title: str, *, hidden: bool) -> Iterator[Callable[[float], None]]:
    """Show a bar, and yield the function that takes the completed share, 0 to 1."""
    with Progress(console=err, transient=True, disable=hidden or not err.is_terminal) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)
