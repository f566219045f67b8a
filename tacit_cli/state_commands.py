"""Commands `tacit state …`."""

import os
import time
from itertools import chain
from typing import Annotated

import typer

from dataflows.control.audit import audited
from dataflows.population_run import folder_prior
from dataflows.rotation.ids import read_ids
from dataflows.rotation.rotate import rotate
from dataflows.settings import OUTPUT, SOURCE
from state.errors import StateError
from tacit.contract.pseudonyms import SECRET_BYTES, fingerprint, pseudonym
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.state_folder import FOLDER_TEXTS, inspected, required_folder
from tacit_cli.views.folder_stats import folder_stats, stats_table
from tacit_cli.views.row_view import row_as_dict, row_table
from tacit_cli.views.summary import rotated_table
from tacit_cli.views.user_panel import user_panel
from tacit_cli.views.user_record import user_as_dict
from tacit_cli.worker_settings import logged_settings

app = new_app("state", "Inspect a state folder, also while workers use it.")


@command(
    app,
    "tacit state show user-000001 --state tacit-state",
    settings=("state", "catalogue", "audit", "operator"),
    texts=FOLDER_TEXTS,
)
def show(
    invocation: Invocation,
    user: User,
    row: Annotated[
        bool, typer.Option("--row", help="Show the stored row, field by field.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Show the state of one user, as in the newest checkpoint."""
    settings = logged_settings(invocation)
    folder = inspected(settings)
    folder.require_secret(settings.secret_bytes)
    name = pseudonym(read_user(user), settings.secret_bytes, folder.catalogue.identity)
    with audited(settings, "state_show", name):
        found, checkpoint = folder.checkpoints.get(name)
        prior, _ = folder_prior(settings, folder.path, folder.catalogue)
        if found is None or checkpoint is None:
            raise StateError(f"{folder.path}: the newest checkpoint has no user of that id; check the user id")
        shown = row_as_dict(name, found) if row else user_as_dict(name, found, checkpoint, prior)
    invocation.output.show(shown, lambda: console.out.print(row_table(shown) if row else user_panel(shown, _now_ms())))


@command(app, "tacit state stats --state tacit-state --by-shard", settings=("state",), texts=FOLDER_TEXTS)
def stats(
    invocation: Invocation,
    by_shard: Annotated[bool, typer.Option("--by-shard", help="Show a row per shard.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Show the size of a state folder, its number of users, and the age of its checkpoints."""
    folder = required_folder(invocation.settings(needs_secret=False))
    found = folder_stats(folder, _now_ms())
    invocation.output.show(found, lambda: console.out.print(stats_table(found, by_shard=by_shard)))


@command(
    app,
    "TACIT_NEW_SECRET=… tacit state rotate-secret --state tacit-state --ids kafka://localhost:9092/events",
    settings=("state", "redis", "catalogue", "audit", "operator", "log_level"),
    texts=FOLDER_TEXTS | {"state": ("State folder to move, without a running worker.", "required")},
)
def rotate_secret(
    invocation: Invocation,
    ids: Annotated[
        list[str],
        typer.Option(
            "--ids",
            metavar="FILE|kafka://HOST:PORT/TOPIC",
            help="Events, or one user id per line; may be repeated.",
            rich_help_panel=SOURCE,
        ),
    ],
    keep_unknown: Annotated[
        bool,
        typer.Option(
            "--keep-unknown",
            help='Move although the ids of users with a "no", a pin or a wipe are missing.',
            rich_help_panel=SOURCE,
        ),
    ] = False,
) -> None:
    """Move a state folder, and the keys of its region in Redis, to another secret.

    TACIT_SECRET is the old secret, and TACIT_NEW_SECRET the new one. First give both to all readers, then stop the
    workers; start them under the new secret afterwards. An interrupted move continues when the command is repeated.
    Pseudonyms do not show the ids, so the command needs them. A user whose id is in no place loses state and signals;
    a "no", a pin and a wipe of such a user stay under the old pseudonym, for readers with both secrets, and only
    with --keep-unknown: otherwise the command ends without a change.
    """
    settings = logged_settings(invocation)
    new = os.environ.get("TACIT_NEW_SECRET", "").encode()
    if len(new) not in SECRET_BYTES:
        allowed = f"{SECRET_BYTES.start} to {SECRET_BYTES.stop - 1}"
        raise ConfigurationError([f"TACIT_NEW_SECRET: {len(new)} bytes; allowed are {allowed} (openssl rand -hex 32)"])
    user_ids = chain.from_iterable(read_ids(place) for place in ids)
    secrets = (settings.secret_bytes, new)
    with audited(settings, "rotate_secret", None) as entry:
        done = rotate(inspected(settings), settings.redis, user_ids, *secrets, keeps_unknown=keep_unknown)
        entry.detail["secret"] = fingerprint(new)
    invocation.output.show(done.as_dict(), lambda: console.out.print(rotated_table(done)))
    if kept := max(done.kept, done.redis.gates_kept):
        console.err.print(
            f'{kept:,} users with a "no", a pin or a wipe are in no place of --ids: they stay under the old pseudonym; '
            "keep previous_secret in all readers"
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
