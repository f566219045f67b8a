"""Command `tacit check`."""

from typing import Annotated

import typer

from dataflows.cut_settings import CUTS
from dataflows.host_settings import HOSTS
from dataflows.settings import WORKER_GROUPS
from tacit.errors import TacitError
from tacit_cli import console
from tacit_cli.check import check_all
from tacit_cli.command import command, new_app
from tacit_cli.failures import FAILED
from tacit_cli.invocation import Invocation
from tacit_cli.views.findings import findings_table
from tacit_cli.worker_settings import worker_settings

app = new_app()

Source = Annotated[
    str | None, typer.Argument(metavar="SOURCE", help="File, folder or kafka://HOST:PORT/TOPIC of the run.")
]


@command(
    app,
    "tacit check kafka://localhost:9092/events --redis redis://localhost:6379 --state /var/lib/tacit",
    settings=(*WORKER_GROUPS, CUTS, HOSTS),
    fails_if="at least one check found a problem",
)
def check(invocation: Invocation, source: Source = None) -> None:
    """Check configuration, catalogue, Redis, Kafka and folders.

    Pass the options of the run: each problem is printed with the place and a remedy.
    """
    with worker_settings(invocation) as settings:
        findings = check_all(settings, source)
    invocation.output.show(
        [finding.as_dict() for finding in findings], lambda: console.out.print(findings_table(findings))
    )
    problems = [f"{finding.what}: {finding.detail}" for finding in findings if not finding.ok]
    if problems and invocation.output.quiet and not invocation.output.as_json:
        raise TacitError("\n".join(problems))
    if problems:
        raise typer.Exit(FAILED)
