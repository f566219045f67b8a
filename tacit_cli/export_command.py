"""Command `tacit export`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from dataflows.control.export import export as make_export
from dataflows.control.export_file import write_private
from dataflows.control.export_page import page
from dataflows.control.users import pseudonym_of
from dataflows.settings import OUTPUT
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.state_folder import FOLDER_TEXTS, inspected
from tacit_cli.worker_settings import logged_settings

app = new_app()

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page for the user into FILE.", rich_help_panel=OUTPUT),
]


@command(
    app,
    "tacit export user-000001 --state tacit-state",
    "tacit export user-000001 --state tacit-state --redis redis://localhost:6379 --html user.html",
    settings=("state", "catalogue", "population", "redis", "audit", "operator", "log_level"),
    texts=FOLDER_TEXTS | {"redis": ("Redis whose keys of the user are part of the export.", "not read")},
    fails_if="the folder or Redis cannot be read, or FILE cannot be written",
)
def export(invocation: Invocation, user: User, html: Html = None) -> None:
    """Export all that is held and inferred about a user, as JSON.

    Each part has purpose, source and retention. The document names the user by the pseudonym only;
    docs/schema/export.schema.json describes it. With --html, a page for the user is written, and the JSON is printed
    with --json only.
    """
    user_id = read_user(user)
    settings = logged_settings(invocation)
    folder = inspected(settings)
    folder.require_secret(settings.secret_bytes)
    found = make_export(settings, folder, pseudonym_of(settings, user_id), reads_redis="redis" in settings.given)
    if html is not None:
        write_private(html, page(found))
    document = msgspec.to_builtins(found)
    if html is None:
        invocation.output.show(document, lambda: typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode()))
    else:
        invocation.output.show(document, lambda: typer.echo(f"the page is in {html}"))
