"""Commands `tacit state …`."""

import time
from typing import Annotated

import typer

from dataflows.population_run import folder_prior
from dataflows.settings import OUTPUT
from state.errors import StateError
from tacit.contract.pseudonyms import pseudonym
from tacit_cli import console
from tacit_cli.arguments import User
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.state_folder import FOLDER_TEXTS, inspected, required_folder
from tacit_cli.views.folder_stats import folder_stats, stats_table
from tacit_cli.views.user_panel import user_panel
from tacit_cli.views.user_record import user_as_dict
from tacit_cli.worker_settings import logged_settings

app = new_app("state", "Inspect a state folder, also while workers use it.")


@command(app, "tacit state show user-000001 --state tacit-state", settings=("state", "catalogue"), texts=FOLDER_TEXTS)
def show(invocation: Invocation, user: User) -> None:
    """Show the state of one user, as in the newest checkpoint."""
    settings = logged_settings(invocation)
    folder = inspected(settings)
    folder.require_secret(settings.secret_bytes)
    name = pseudonym(user, settings.secret_bytes, folder.catalogue.identity)
    found, checkpoint = folder.checkpoints.get(name)
    prior, _ = folder_prior(settings, folder.path, folder.catalogue)
    if found is None or checkpoint is None:
        raise StateError(f"{folder.path}: the newest checkpoint has no user of that id; check the user id")
    shown = user_as_dict(name, found, checkpoint, prior)
    invocation.output.show(shown, lambda: console.out.print(user_panel(shown, _now_ms())))


@command(app, "tacit state stats --state tacit-state --by-shard", settings=("state",), texts=FOLDER_TEXTS)
def stats(
    invocation: Invocation,
    by_shard: Annotated[bool, typer.Option("--by-shard", help="Show a row per shard.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Show the size of a state folder, its number of users, and the age of its checkpoints."""
    folder = required_folder(invocation.settings(needs_secret=False))
    found = folder_stats(folder, _now_ms())
    invocation.output.show(found, lambda: console.out.print(stats_table(found, by_shard=by_shard)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
