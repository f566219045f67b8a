"""Command `tacit why`."""

from typing import Annotated

import msgspec
import typer

from dataflows.control.users import pseudonym_of
from dataflows.control.why import why as explain
from tacit_cli import console
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.state_folder import FOLDER_TEXTS, inspected
from tacit_cli.views.why_panel import why_panel
from tacit_cli.worker_settings import logged_settings

app = new_app()

Facet = Annotated[
    str | None, typer.Argument(metavar="[FACET]", help="Facet of the catalogue.", show_default="all facets")
]


@command(
    app,
    "tacit why user-000001 --state tacit-state",
    "tacit why user-000001 length --state tacit-state --json",
    settings=("state", "catalogue", "population", "audit", "operator", "log_level"),
    texts=FOLDER_TEXTS,
    fails_if="the folder has no such user",
)
def why(invocation: Invocation, user: User, facet: Facet = None) -> None:
    """Explain a user's values: how sure, which feedback for and against, and what would change them.

    The state is that of the newest checkpoint. Predictions without some feedback are the model's, trained again.
    """
    user_id = read_user(user)
    settings = logged_settings(invocation)
    folder = inspected(settings)
    folder.require_secret(settings.secret_bytes)
    found = explain(settings, folder, pseudonym_of(settings, user_id), facet)
    invocation.output.show(msgspec.to_builtins(found), lambda: console.out.print(why_panel(found)))
