"""Command `tacit promote`."""

from typing import Annotated

import typer

from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.namespaces import namespaces_of

app = new_app()


@command(app, "tacit promote shadow", settings=("redis", "region"))
def promote(
    invocation: Invocation,
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Namespace that readers shall use.")],
) -> None:
    """Activate a namespace: readers follow within a second.

    The same command with the previous namespace undoes it.
    """
    settings = invocation.settings(needs_secret=False)
    with namespaces_of(settings) as namespaces:
        before = namespaces.promote(namespace)
    document = {"region": settings.region, "active": namespace, "before": before}
    invocation.output.print(document, lambda: _text(namespace, before))


def _text(active: str, before: str) -> str:
    if before == active:
        return f"readers use {active}, as before"
    return f"readers use {active} instead of {before}; to undo: tacit promote {before}"
