"""Range of files that matches no interaction: an error at the end of the replay, as no earlier look could show it."""

from connectors.files.paths import STDIN
from connectors.kafka.times import time_text
from dataflows.job import Files, Job
from state.account import Account
from state.errors import SourceError


def require_interactions(job: Job, account: Account) -> None:
    """Check that a replay of files with a range has found an interaction there, over all its parts.

    Control events count at any time, so the few that the replay has carried out are no reason to accept the range.

    Raises:
        SourceError: the range has none.
    """
    if not (job.files and job.selected.has_range) or account.in_range:
        return
    selection = job.selection
    of_users = " of the users" if selection.users is not None else ""
    end = f" up to {selection.end}" if selection.end else ""
    times = account.interactions_ms
    held = f"theirs are from {' to '.join(map(time_text, times))}" if times else "they have none at all"
    again = " and pass --again" if job.settings.state else ""
    raise SourceError(
        f"{_named(job.files)}: no interaction{of_users} from {selection.start_text}{end}; {held}; "
        f"choose another range{again}, or leave --from and --to out"
    )


def _named(files: Files) -> str:
    first = "stdin" if files[0] == STDIN else str(files[0])
    return first if len(files) == 1 else f"{first} to {files[-1]}"
