"""Commands `tacit state …`."""

import time
from itertools import chain
from typing import Annotated, Any

import typer

from connectors.secret_files import secret_variable
from dataflows.control.audit import audited
from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.reshard import reshard as resharded_cut
from dataflows.population_run import folder_prior
from dataflows.rotation.ids import read_ids
from dataflows.rotation.rotate import rotate
from dataflows.settings import OUTPUT, Settings
from dataflows.source_settings import SOURCE
from state.errors import StateError
from state.storage.shards import MAX_SHARDS, shard_of
from tacit.contract.pseudonyms import SECRET_BYTES, fingerprint, pseudonym
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.state_folder import FOLDER_TEXTS, READ_SETTINGS, READ_TEXTS, Source, inspected, source_of
from tacit_cli.state_folder import Savepoint as ReadSavepoint
from tacit_cli.views.cut_table import cut_table, cuts_as_dict
from tacit_cli.views.folder_stats import folder_stats, stats_table
from tacit_cli.views.resharded import resharded_as_dict, resharded_table
from tacit_cli.views.row_view import row_as_dict, row_table
from tacit_cli.views.summary import rotated_table
from tacit_cli.views.user_panel import user_panel
from tacit_cli.views.user_record import user_as_dict
from tacit_cli.worker_settings import logged_settings

app = new_app("state", "Inspect a state folder, also while workers use it; keep savepoints.")

BUCKET_SETTINGS = ("checkpoints", "region", "namespace")
BUCKET_TEXTS = {"checkpoints": ("Object storage of the run.", "required")}

Savepoint = Annotated[str, typer.Argument(metavar="NAME", help="Savepoint: up to 63 of a-z, 0-9, `.`, `_` and `-`.")]


@command(
    app,
    "tacit state show user-000001 --state tacit-state",
    "tacit state show user-000001 --checkpoints s3://backups/tacit --from before-upgrade",
    settings=(*READ_SETTINGS, "catalogue", "audit", "operator"),
    texts=READ_TEXTS,
)
def show(
    invocation: Invocation,
    user: User,
    row: Annotated[
        bool, typer.Option("--row", help="Show the stored row, field by field.", rich_help_panel=OUTPUT)
    ] = False,
    savepoint: ReadSavepoint = None,
) -> None:
    """Show the state of one user, as in the newest checkpoint, the newest cut or a savepoint.

    Of a cut, only the shard of the user is fetched.
    """
    settings = logged_settings(invocation)
    with source_of(invocation, settings, savepoint) as source:
        shown = _shown(settings, source, read_user(user), row=row)
    invocation.output.show(shown, lambda: console.out.print(row_table(shown) if row else user_panel(shown, _now_ms())))


def _shown(settings: Settings, source: Source, user_id: str, *, row: bool) -> dict[str, Any]:
    folder = inspected(settings, source)
    folder.require_secret(settings.secret_bytes)
    name = pseudonym(user_id, settings.secret_bytes, folder.catalogue.identity)
    with audited(settings, "state_show", name):
        source.complete([shard_of(name, folder.identity.shards)])
        found, checkpoint = folder.checkpoints.get(name)
        prior, _ = folder_prior(settings, folder.path, folder.catalogue)
        if found is None or checkpoint is None:
            raise StateError(f"{folder.path}: the newest checkpoint has no user of that id; check the user id")
        return row_as_dict(name, found) if row else user_as_dict(name, found, checkpoint, prior)


@command(
    app,
    "tacit state stats --state tacit-state --by-shard",
    "tacit state stats --checkpoints s3://backups/tacit",
    settings=READ_SETTINGS,
    texts=READ_TEXTS,
)
def stats(
    invocation: Invocation,
    by_shard: Annotated[bool, typer.Option("--by-shard", help="Show a row per shard.", rich_help_panel=OUTPUT)] = False,
    savepoint: ReadSavepoint = None,
) -> None:
    """Show the size of a state folder or a cut, its number of users, and the age of its checkpoints."""
    settings = logged_settings(invocation, needs_secret=False)
    with source_of(invocation, settings, savepoint) as source:
        found = folder_stats(source.path, _now_ms(), source.cut)
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
    new = secret_variable("TACIT_NEW_SECRET").encode()
    if len(new) not in SECRET_BYTES:
        allowed = f"{SECRET_BYTES.start} to {SECRET_BYTES.stop - 1}"
        raise ConfigurationError([f"TACIT_NEW_SECRET: {len(new)} bytes; allowed are {allowed} (openssl rand -hex 32)"])
    user_ids = chain.from_iterable(read_ids(place, settings.kafka) for place in ids)
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


@command(
    app,
    "tacit state save before-upgrade --checkpoints s3://backups/tacit",
    settings=BUCKET_SETTINGS,
    texts=BUCKET_TEXTS,
)
def save(invocation: Invocation, name: Savepoint) -> None:
    """Name the newest cut in object storage: it is kept until it is dropped.

    The end of a run in order makes a last cut: stop the run first for a savepoint of that moment.
    """
    saved = {name: open_bucket(invocation.settings(needs_secret=False)).save(name)}
    invocation.output.show(cuts_as_dict(saved, []), lambda: console.out.print(cut_table(saved, [], _now_ms())))


@command(app, "tacit state list --checkpoints s3://backups/tacit", settings=BUCKET_SETTINGS, texts=BUCKET_TEXTS)
def list_(invocation: Invocation) -> None:
    """List the savepoints and the cuts in object storage.

    A run rewrites a savepoint after the wipe of one of its users; without success, it drops the savepoint.
    The list has the time and the reason.
    """
    bucket = open_bucket(invocation.settings(needs_secret=False))
    cuts, (savepoints, dropped) = bucket.all_cuts(), bucket.listed()
    invocation.output.show(
        cuts_as_dict(savepoints, cuts, dropped),
        lambda: console.out.print(cut_table(savepoints, cuts, _now_ms(), dropped)),
    )


@command(
    app,
    "tacit state drop before-upgrade --checkpoints s3://backups/tacit",
    settings=BUCKET_SETTINGS,
    texts=BUCKET_TEXTS,
    has_result=False,
)
def drop(invocation: Invocation, name: Savepoint) -> None:
    """Drop a savepoint: after its next cut, a run deletes the files that nothing else names."""
    open_bucket(invocation.settings(needs_secret=False)).drop(name)


@command(
    app,
    "tacit state reshard 64 --checkpoints s3://backups/tacit",
    "tacit state reshard 4 --checkpoints s3://backups/tacit --dry-run",
    settings=(*BUCKET_SETTINGS, "lateness", "upload_rate", "log_level"),
    texts=BUCKET_TEXTS,
)
def reshard(
    invocation: Invocation,
    shards: Annotated[
        int, typer.Argument(metavar="SHARDS", min=1, max=MAX_SHARDS, help=f"Number of shards, 1 to {MAX_SHARDS}.")
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Make and verify the cut, and upload nothing.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Make a cut with another number of shards from the newest one, while no run uses the URL.

    Each user is compared with the earlier cut; a difference is an error, and then no cut is made. The next run needs
    --shards SHARDS, and begins from the new cut. The earlier cuts and all savepoints stay: name the newest cut first by
    tacit state save, to return to it. Files are in the folder for temporary files (TMPDIR), which needs room for both
    cuts.
    """
    settings = logged_settings(invocation)
    done = resharded_cut(open_bucket(settings), settings, shards, is_trial=dry_run)
    invocation.output.show(resharded_as_dict(done), lambda: console.out.print(resharded_table(done)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
