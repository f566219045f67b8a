"""Command `tacit promote`."""

from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from dataflows.settings import Settings
from state.errors import StateError
from state.learning.proof_report import CandidateProof
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.namespaces import namespaces_of, proof_of
from tacit_cli.uplift_command import NO_REPORT
from tacit_cli.views.proof_tables import candidate_lines

app = new_app()


@command(app, "tacit promote shadow", settings=("redis", "region"))
def promote(
    invocation: Invocation,
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Namespace that readers shall use.")],
) -> None:
    """Activate a namespace: readers follow within a second.

    Before it, the command shows the estimate of the namespace's policy from the live log (`tacit uplift NAMESPACE`).
    The same command with the previous namespace undoes it.
    """
    settings = invocation.settings(needs_secret=False)
    with namespaces_of(settings) as namespaces:
        namespaces.require(namespace)
        candidate = _show_estimate(invocation, settings, namespace)
        before = namespaces.promote(namespace)
    document = {"region": settings.region, "active": namespace, "before": before, "candidate": candidate}
    invocation.output.print(document, lambda: _text(namespace, before))


def _show_estimate(invocation: Invocation, settings: Settings, namespace: str) -> Any:
    """Show the estimate, or why there is none, and return its document; a broken report does not stop a switch."""
    found: CandidateProof | None = None
    try:
        report = proof_of(settings, namespace)
    except StateError as error:
        lines: list[RenderableType] = [str(error)]
    else:
        lines = [NO_REPORT.format(namespace=namespace)] if report is None else candidate_lines(report)
        found = report.candidate if report else None
    if not invocation.output.hides_progress:
        console.out.print(f"estimate of the policy of {namespace}, from the live log:", *lines, sep="\n")
    return None if found is None else msgspec.to_builtins(found)


def _text(active: str, before: str) -> str:
    if before == active:
        return f"readers use {active}, as before"
    return f"readers use {active} instead of {before}; to undo: tacit promote {before}"
