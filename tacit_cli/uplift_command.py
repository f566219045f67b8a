"""Command `tacit uplift`."""

from typing import Annotated

import msgspec
import typer

from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.namespaces import namespaces_of, proof_of
from tacit_cli.views.proof_tables import proof_lines

app = new_app()

NO_REPORT = (
    "namespace {namespace} has no report yet: a worker writes one with each population version, after 100 pieces of "
    "feedback and a minute; check that workers run, and that users consent and give feedback"
)


@command(app, "tacit uplift", "tacit uplift shadow --json", settings=("redis", "region"))
def uplift(
    invocation: Invocation,
    namespace: Annotated[
        str, typer.Argument(metavar="NAMESPACE", help="Namespace to report on.", show_default="the active namespace")
    ] = "",
) -> None:
    """Show whether signals help: holdout, off-policy, apprentice, candidate.

    A worker writes the figures with each population version. Each figure has its interval, or the reason why there is
    none.
    """
    settings = invocation.settings(needs_secret=False)
    with namespaces_of(settings) as namespaces:
        named = namespace or namespaces.active()
    report = proof_of(settings, named)
    document = {"namespace": named, "report": None if report is None else msgspec.to_builtins(report)}
    lines = [NO_REPORT.format(namespace=named)] if report is None else proof_lines(named, report)
    invocation.output.show(document, lambda: console.out.print(*lines, sep="\n"))
