"""Command `tacit show`, which reads by the client only."""

import typer

from dataflows.control.audit import audited
from dataflows.control.users import pseudonym_of
from tacit import SignalReader
from tacit.contract.catalogue import Catalogue
from tacit_cli import console
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.failures import FAILED
from tacit_cli.invocation import Invocation
from tacit_cli.views.adaptation_panel import adaptation_as_dict, adaptation_panel

app = new_app()


@command(
    app,
    "tacit show user-000001 --redis redis://localhost:6379",
    settings=("redis", "region", "namespace", "catalogue", "audit", "operator"),
    texts={"namespace": ("Namespace to read.", "the active namespace")},
    fails_if="Redis did not answer",
)
def show(invocation: Invocation, user: User) -> None:
    """Show the signals of one user, and the prompt text they give."""
    settings, user = invocation.settings(), read_user(user)
    reader = SignalReader(
        settings.redis,
        region=settings.region,
        secret=settings.secret_bytes,
        catalogue=Catalogue.load(settings.catalogue),
        namespace=settings.namespace if "namespace" in settings.given else None,
    )
    with reader, audited(settings, "show", pseudonym_of(settings, user), warns=False):
        adaptation = reader.get(user)
    invocation.output.show(
        adaptation_as_dict(adaptation), lambda: console.out.print(adaptation_panel(adaptation, user))
    )
    if adaptation.status == "unavailable":
        raise typer.Exit(FAILED)
