"""Command `tacit diff`."""

from typing import Annotated

import typer

from connectors.redis.namespaces import Difference
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.failures import FAILED
from tacit_cli.invocation import Invocation
from tacit_cli.namespaces import namespaces_of
from tacit_cli.views.difference import difference_tables

app = new_app()


@command(
    app,
    "tacit diff live shadow",
    settings=("redis", "region"),
    fails_if="the namespaces differ, or Redis failed (the error is on stderr)",
)
def diff(
    invocation: Invocation,
    first: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Namespace, such as live.")],
    second: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Other namespace, such as shadow.")],
) -> None:
    """Compare the signals of two namespaces.

    Counts by facet, over all users; the command names no user and writes nothing.
    """
    settings = invocation.settings(needs_secret=False)
    with namespaces_of(settings) as namespaces:
        found = namespaces.compare(first, second)
    invocation.output.show(found.as_dict(), lambda: console.out.print(*difference_tables(found), sep="\n"))
    if differs(found):
        raise typer.Exit(FAILED)


def differs(found: Difference) -> bool:
    """Return whether value, tier or source of any signal differ, or a field cannot be read."""
    return bool(found.both != found.same or found.only_first or found.only_second or found.unreadable)
