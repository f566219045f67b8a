"""Progress bars on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from connectors.kafka.address import TopicAddress
from dataflows.job import Files
from state.counters import Counters
from tacit_cli.console import err


@contextmanager
def replay_progress(source: TopicAddress | Files, *, hidden: bool) -> Iterator[Callable[[Counters], None]]:
    """Show the progress of a replay, and yield the function that updates it.

    The bar has a total for uncompressed files only.
    """
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
        task = bar.add_task("Replaying", total=_size(source), events=0)

        def report(counters: Counters) -> None:
            bar.update(task, completed=counters.source.bytes, events=counters.source.records)

        yield report


def _size(source: TopicAddress | Files) -> int | None:
    """Return the bytes of uncompressed files; None: not known in advance."""
    if isinstance(source, TopicAddress) or not all(path.suffix == ".jsonl" and path.is_file() for path in source):
        return None
    return sum(path.stat().st_size for path in source)


@contextmanager
def share_progress(title: str, *, hidden: bool) -> Iterator[Callable[[float], None]]:
    """Show a bar, and yield the function that takes the completed share, 0 to 1."""
    with Progress(console=err, transient=True, disable=hidden or not err.is_terminal) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)
