"""Arguments that several commands take."""

import sys
from typing import Annotated

import typer

from tacit.errors import ConfigurationError

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files and folders (.jsonl, .jsonl.gz, .jsonl.zst; of a folder its files by name), "
        "or one kafka://HOST:PORT/TOPIC.",
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
