"""Command `tacit consent`."""

from typing import Annotated, Literal

import typer

from dataflows.control.sending import send_consent
from dataflows.settings import CONTROL
from tacit.contract.gates import SCOPES
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.control import FAILS_IF, SETTINGS, Wait, document, run_action, text
from tacit_cli.invocation import Invocation

app = new_app()

Choice = Annotated[Literal["yes", "no"], typer.Argument(metavar="yes|no", help="Grant, or withdraw.")]
Scopes = Annotated[
    str | None,
    typer.Option(
        "--scope",
        metavar="SCOPE[,SCOPE]",
        help=f"Scopes of the choice: {', '.join(SCOPES)}.",
        show_default="all",
        rich_help_panel=CONTROL,
    ),
]


@command(
    app,
    "tacit consent user-000001 no --source kafka://localhost:9092/events --wait",
    "tacit consent user-000001 yes --scope learn,use --source kafka://localhost:9092/events",
    settings=SETTINGS,
    fails_if=FAILS_IF,
)
def consent(invocation: Invocation, user: User, choice: Choice, scope: Scopes = None, wait: Wait = None) -> None:
    """Grant or withdraw a user's consent, in some scopes or in all.

    Without learn, nothing is learned, and what was learned is deleted. Without use, the assistant gets defaults.
    Without explore, no value is tried on the user.
    """
    user_id = read_user(user)
    scopes = () if scope is None else tuple(name.strip() for name in scope.split(","))
    done = run_action(
        invocation,
        "consent",
        user_id,
        lambda settings: send_consent(settings, user_id, granted=choice == "yes", scopes=scopes),
        wait,
    )
    invocation.output.print(
        document("consent", done)
        | {"granted": choice == "yes", "scope": [each for each in SCOPES if not scopes or each in scopes]},
        lambda: text(f"consent {choice}", done),
    )
