"""Result of a change of the number of shards."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dataflows.cuts.reshard import Resharded

_RESTRICTED = (
    "Population training: votes of users and used limits of feedback count on. "
    "Some users have no vote on a feature until the next season, as sets of voters are joined."
)


def resharded_as_dict(done: Resharded) -> dict[str, Any]:
    """Return the result as plain values."""
    earlier, training = done.earlier, done.training
    return {
        "from": {"cut": earlier.text, "shards": earlier.identity.shards},
        "to": {"cut": done.cut.text if done.cut else None, "shards": done.shards},
        "users": done.users,
        "bytes": done.cut.size if done.cut else None,
        "training": {
            "shards": training.shards,
            "pending_examples": training.examples,
            "restricted": training.is_restricted,
        },
    }


def resharded_table(done: Resharded) -> RenderableType:
    """Return the result as a table, and a note about the training below it."""
    earlier, training = done.earlier, done.training
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("from", f"cut {earlier.text}, {earlier.identity.shards} shards")
    made = f"cut {done.cut.text}" if done.cut else "no cut, as this was a dry run"
    table.add_row("to", f"{made}, {done.shards} shards")
    table.add_row("users", f"{done.users:,}, each compared")
    if done.cut:
        table.add_row("size", f"{done.cut.size / 1e6:,.1f} MB")
    table.add_row("training", f"of {training.shards} shards, {training.examples:,} examples pending")
    next_step = [Text(f"Run with --shards {done.shards} from now on.")] if done.cut else []
    return Group(table, *([Text(_RESTRICTED)] if training.is_restricted else []), *next_step)
