"""Arguments that several commands take."""

from typing import Annotated

import typer

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files and folders (.jsonl, .jsonl.gz, .jsonl.zst; of a folder its files by name), "
        "or one kafka://HOST:PORT/TOPIC.",
    ),
]
User = Annotated[str, typer.Argument(metavar="USER", help="User id, as in events.")]
