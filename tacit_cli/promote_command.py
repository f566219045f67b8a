"""Command `tacit promote`."""

from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from connectors.redis.namespaces import Namespaces
from dataflows.settings import Settings
from state.errors import StateError
from state.learning.proof_report import CandidateProof
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.namespaces import namespaces_of, proof_of
from tacit_cli.uplift_command import NO_REPORT
from tacit_cli.views.proof_tables import candidate_lines

app = new_app()

_ADVICE = (
    "readers use either the namespace from before or the new one, and nothing in between: run the same command again"
)

Name = Annotated[str, typer.Argument(metavar="NAMESPACE", help="Namespace that readers shall use.", show_default=False)]
Back = Annotated[bool, typer.Option("--back", help="Return to the namespace that was active before.")]


@command(app, "tacit promote shadow", "tacit promote --back", settings=("redis", "region"))
def promote(invocation: Invocation, namespace: Name = "", back: Back = False) -> None:
    """Activate a namespace: readers follow within a second.

    Before it, the command shows the estimate of the namespace's policy from the live log (`tacit uplift NAMESPACE`).
    Redis remembers the namespace from before in the same atomic step, and --back returns to it. Without the right to
    SCAN, a population version of the namespace stands for its signals. A namespace that a replay has filled in part is
    refused.
    """
    if bool(namespace) == back:
        raise ConfigurationError(["namespace: name the namespace that readers shall use, or pass --back alone"])
    settings = invocation.settings(needs_secret=False)
    with namespaces_of(settings, advice=_ADVICE) as namespaces:
        before = namespaces.active()
        namespace = namespace or _previous(namespaces, before)
        if not back:  # the way back is open, also to a namespace that has no signals, or not all
            namespaces.require_signals(namespace)
            namespaces.require_complete(namespace)
        candidate = _show_estimate(invocation, settings, namespace)
        if namespace != before:
            namespaces.promote(namespace, before)
    document = {"region": settings.region, "active": namespace, "before": before, "candidate": candidate}
    invocation.output.print(document, lambda: _text(namespace, before))


def _previous(namespaces: Namespaces, active: str) -> str:
    """Return the namespace from before.

    Raises:
        ConfigurationError: no promotion came before.
    """
    if previous := namespaces.previous():
        return previous
    known = ", ".join(namespaces.registered())
    advice = f"name one of {known}" if known else "fill a namespace first by tacit replay with --namespace NAME"
    raise ConfigurationError([f"back: Redis remembers no namespace from before {active}; {advice}"])


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
    return f"readers use {active} instead of {before}; to undo: tacit promote --back"
