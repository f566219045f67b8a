"""`tacit state show | stats`: a state folder from outside, also while a run holds it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from dataflows.inspection import Inspected, inspect
from dataflows.population_run import known_prior
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from tacit.contract.pseudonyms import pseudonym
from tacit.errors import ConfigurationError
from tacit_cli import console, options
from tacit_cli.invoked import settings_of
from tacit_cli.views.folder_stats import folder_stats, stats_table
from tacit_cli.views.user_panel import person_panel
from tacit_cli.views.user_record import person_as_dict

app = typer.Typer(name="state", help="Look into a state folder, also while workers use it.", no_args_is_help=True)


def folder_of(settings: Settings) -> Inspected:
    """Return the folder that the settings name, with the catalogue that they name.

    Raises:
        ConfigurationError: they name none.
        StateError: it cannot be read.
    """
    if settings.state is None:
        raise ConfigurationError(["state: name the state folder by --state DIR"])
    return inspect(settings.state, NumberedCatalogue.load(settings.catalogue))


@app.command()
def show(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user id, as events have it.")],
    state: options.StateFolder = None,  # noqa: ARG001  # what typer parsed is read from its context, whole
    catalogue: options.Catalogue = None,  # noqa: ARG001
    json: options.Json = False,
) -> None:
    """Show all that the newest checkpoint holds of one person."""
    with settings_of(context) as settings:
        folder = folder_of(settings)
        folder.require_secret(settings.secret_bytes)
        person = pseudonym(user, settings.secret_bytes)
        found, checkpoint = folder.shelf.get(person)
        prior, _ = known_prior(settings, folder.path, folder.catalogue)
    if found is None or checkpoint is None:
        raise StateError(f"the newest checkpoint in {folder.path} holds nobody of that user id")
    shown = person_as_dict(person, found, checkpoint, prior)
    if json:
        console.print_json(shown)
    else:
        console.out.print(person_panel(shown, _now_ms()))


@app.command()
def stats(
    state: Annotated[
        Path, typer.Option("--state", metavar="DIR", envvar="TACIT_STATE", help="The state folder to look into.")
    ],
    by_shard: Annotated[bool, typer.Option("--by-shard", help="Show each shard, too.")] = False,
    json: options.Json = False,
) -> None:
    """Show how many people a state folder holds, what it takes on disk, and how old its checkpoints are."""
    found = folder_stats(state, _now_ms())
    if json:
        console.print_json(found)
    else:
        console.out.print(stats_table(found, by_shard=by_shard))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
