"""Command `tacit rebuild`."""

from dataflows.rebuild import rebuild as rebuild_folder
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.progress import share_progress
from tacit_cli.state_folder import FOLDER_TEXTS, inspected
from tacit_cli.views.summary import rebuilt_table
from tacit_cli.worker_settings import worker_settings

app = new_app()


@command(
    app,
    "tacit rebuild --state /var/lib/tacit --redis redis://localhost:6379",
    settings=("state", "redis", "catalogue", "namespace", "ttl", "tombstones", "log_level"),
    texts=FOLDER_TEXTS | {"namespace": ("Namespace to write.", "the namespace of the state folder")},
)
def rebuild(invocation: Invocation) -> None:
    """Restore the contents of Redis from a state folder.

    Use it after Redis has lost data; workers may run. It writes consent and wipes first, then pins, learned signals
    and profiles, as the newest checkpoint has them. It neither overwrites newer signals nor restores expired ones.
    Run it again after the next checkpoint: signals that workers emitted in between are then restored, too.
    A state folder does not store the active namespace: set it with tacit promote.
    """
    output = invocation.output
    with worker_settings(invocation) as settings:
        folder = inspected(settings)
        namespace = settings.namespace if "namespace" in settings.given else None
        with share_progress("Rebuilding", hidden=output.hides_progress) as report:
            done = rebuild_folder(folder, settings, namespace, report)
    output.show(done.as_dict(), lambda: console.out.print(rebuilt_table(done)))
