"""Command `tacit pin`."""

from typing import Annotated

import typer

from dataflows.control.sending import send_pin
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.control import FAILS_IF, SETTINGS, Wait, document, run_action, text
from tacit_cli.invocation import Invocation

app = new_app()

NO_VALUE = "none"

Facet = Annotated[str, typer.Argument(metavar="FACET", help="Facet of the catalogue.")]
Value = Annotated[
    str, typer.Argument(metavar=f"VALUE|{NO_VALUE}", help=f"Value of the facet; {NO_VALUE} removes the setting.")
]


@command(
    app,
    "tacit pin user-000001 length concise --source kafka://localhost:9092/events --wait",
    settings=SETTINGS,
    fails_if=FAILS_IF,
)
def pin(invocation: Invocation, user: User, facet: Facet, value: Value, wait: Wait = None) -> None:
    """Set a facet for a user, or remove the setting.

    A pin outranks every learned value, in every namespace. After its removal, the learned value returns.
    """
    user_id = read_user(user)
    wanted = None if value == NO_VALUE else value
    done = run_action(invocation, "pin", user_id, lambda settings: send_pin(settings, user_id, facet, wanted), wait)
    invocation.output.print(
        document("pin", done) | {"facet": facet, "value": wanted}, lambda: text(f"{facet} {value}", done)
    )
