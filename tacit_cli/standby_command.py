"""Command `tacit standby`."""

from typing import Annotated

import typer

from dataflows.cut_settings import CUTS
from dataflows.runtime.live import run_live
from dataflows.settings import WORKER_GROUPS
from tacit.errors import ConfigurationError
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.live_job import live_job
from tacit_cli.worker_settings import worker_settings

app = new_app()


@command(
    app,
    "tacit standby kafka://localhost:9092/events --checkpoints s3://backups/tacit --state /var/lib/tacit-standby",
    settings=(*WORKER_GROUPS, CUTS),
    has_result=False,
)
def standby(
    invocation: Invocation,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Topic of the run, as kafka://HOST:PORT/TOPIC.")],
) -> None:
    """Follow the cuts of a run in object storage, and take over when it ends.

    Give the options of the run, and a state folder of its own. The run may end in order, or stop renewing its lease
    for 5 seconds.
    """
    with worker_settings(invocation) as settings:
        if settings.checkpoints is None:
            raise ConfigurationError(["checkpoints: is required; name the URL of the run by --checkpoints URL"])
        if settings.host_addresses:
            raise ConfigurationError(["hosts: a standby is for a run on one host; start a further host instead"])
        run_live(live_job(settings, source), stands_by=True)
