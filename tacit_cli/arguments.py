"""Arguments that several commands take."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from dataflows.settings import STATE
from dataflows.source_settings import SOURCE
from tacit.errors import ConfigurationError

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files, folders and quoted patterns such as 'history/*.zst' (.jsonl, .jsonl.gz, .jsonl.zst; by name), "
        "- for stdin, or topics, as kafka://HOST:PORT/TOPIC.",
    ),
]
Begin = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="earliest|TIME|offset:N",
        help="First record of a topic, or oldest event time of interactions in files. TIME is ISO 8601 with a zone, "
        "a date in UTC, or epoch milliseconds; offset:0:100,1:250 names partitions.",
        show_default="earliest",
        rich_help_panel=SOURCE,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="latest|TIME|offset:N",
        help="End, as in --from; it is not read.",
        show_default="latest",
        rich_help_panel=SOURCE,
    ),
]
SelectedUsers = Annotated[
    Path | None,
    typer.Option(
        "--users",
        metavar="FILE",
        help="Replay only these users' events: one user id per line.",
        show_default="all users",
        rich_help_panel=SOURCE,
    ),
]
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        help="Start over: delete the state that an earlier replay left in --state DIR. Redis stays as it is.",
        rich_help_panel=STATE,
    ),
]
AddFiles = Annotated[
    bool,
    typer.Option(
        "--add-files",
        help="Read further files, named after those that --state DIR remembers.",
        rich_help_panel=STATE,
    ),
]
FromReplay = Annotated[
    Path | None,
    typer.Option(
        "--from-replay",
        metavar="DIR",
        help="Start from the state of a finished replay, which --state DIR takes over; later starts resume.",
        show_default=False,
        rich_help_panel=STATE,
    ),
]
User = Annotated[
    str,
    typer.Argument(metavar="USER", help="User id, as in events; - reads the id from stdin, and leaves no trace of it."),
]

STDIN = "-"


def read_user(text: str) -> str:
    """Return the user id of an argument; of `-`, the first line of stdin.

    Raises:
        ConfigurationError: stdin has no id.
    """
    if text != STDIN:
        return text
    line = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not line:
        raise ConfigurationError(["user: - reads the id from stdin, whose first line is empty; write the id there"])
    return line
