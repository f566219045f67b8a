"""Command `tacit forget`."""

from typing import Annotated

import typer

from dataflows.control.sending import send_forget
from dataflows.settings import CONTROL
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.control import FAILS_IF, SETTINGS, Wait, carry_out
from tacit_cli.invocation import Invocation

app = new_app()

Facets = Annotated[
    list[str] | None,
    typer.Option(
        "--facet",
        metavar="FACET",
        help="Facet to forget; repeatable.",
        show_default="everything",
        rich_help_panel=CONTROL,
    ),
]


@command(
    app,
    "tacit forget user-000001 --source kafka://localhost:9092/events --wait",
    settings=SETTINGS,
    fails_if=FAILS_IF,
)
def forget(invocation: Invocation, user: User, facet: Facets = None, wait: Wait = None) -> None:
    """Delete what was learned about a user, and verify it by a receipt.

    Without --facet, the pins and a granted consent go, too; a "no" stays.
    """
    user_id, facets = read_user(user), facet or []
    done = carry_out(invocation, "forget", user_id, lambda settings: send_forget(settings, user_id, facets), wait)
    invocation.output.print(
        done.as_dict("forget") | {"facets": facets or None}, lambda: done.text(f"forget {', '.join(facets) or 'all'}")
    )
