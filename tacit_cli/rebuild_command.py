"""Command `tacit rebuild`."""

from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.savepoint_wipes import require_followed
from dataflows.rebuild import rebuild as rebuild_folder
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.progress import share_progress
from tacit_cli.state_folder import READ_SETTINGS, READ_TEXTS, Savepoint, inspected, source_of
from tacit_cli.views.summary import rebuilt_table
from tacit_cli.worker_settings import worker_settings

app = new_app()


@command(
    app,
    "tacit rebuild --state /var/lib/tacit --redis redis://localhost:6379",
    "tacit rebuild --checkpoints s3://backups/tacit --from before-upgrade --redis redis://localhost:6379",
    settings=(*READ_SETTINGS, "redis", "catalogue", "ttl", "tombstones", "log_level"),
    texts=READ_TEXTS
    | {"namespace": ("Namespace to write, and of the cut.", "that of the state folder; live with --checkpoints")},
)
def rebuild(invocation: Invocation, savepoint: Savepoint = None) -> None:
    """Restore the contents of Redis from a state folder or a cut.

    Use it after Redis has lost data; workers may run. It writes consent and wipes first, then pins, learned signals
    and profiles, as the newest checkpoint has them. It neither overwrites newer signals nor restores expired ones.
    Run it again after the next checkpoint: signals that workers emitted in between are then restored, too.
    A savepoint that lacks the wipe of a user is refused.
    A state folder does not store the active namespace: set it with tacit promote.
    """
    output = invocation.output
    with worker_settings(invocation) as settings, source_of(invocation, settings, savepoint) as source:
        if savepoint and source.cut and (newest := open_bucket(settings).newest()):
            require_followed(savepoint, source.cut, newest)
        folder = inspected(settings, source)
        source.complete(None)
        namespace = settings.namespace if "namespace" in settings.given else None
        with share_progress("Rebuilding", hidden=output.hides_progress) as report:
            done = rebuild_folder(folder, settings, namespace, report)
    output.show(done.as_dict(), lambda: console.out.print(rebuilt_table(done)))
