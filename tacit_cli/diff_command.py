"""Command `tacit diff`."""

from time import time_ns
from typing import Annotated, Any

import typer

from connectors.redis.difference import Terms
from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.failures import FAILED, errors_apart
from tacit_cli.invocation import Invocation
from tacit_cli.namespaces import namespaces_of
from tacit_cli.views.difference import difference_tables

app = new_app()

TTL_TEXT = {"ttl": ("Time to live of a signal, by which a missing one counts as expired.", "30")}


def sample_option(default: str) -> Any:
    """Return the option for the number of users to compare."""
    text = "Number of users, the same ones each time."
    return typer.Option("--sample", metavar="N", help=text, show_default=default)


def tolerance_option(default: str) -> Any:
    """Return the option for the tolerance of a comparison."""
    text = "Difference of confidence that counts as the same."
    return typer.Option("--tolerance", metavar="X", help=text, show_default=default)


Sample = Annotated[int | None, sample_option("all users")]
Tolerance = Annotated[float | None, tolerance_option("0")]


@command(
    app,
    "tacit diff live shadow",
    "tacit diff live shadow --sample 1000 --tolerance 0.05 --json",
    settings=("redis", "region", "ttl"),
    texts=TTL_TEXT,
    fails_if="the namespaces differ",
    wrong_if="wrong usage or configuration, or Redis failed",
)
def diff(
    invocation: Invocation,
    first: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Namespace, such as live.")],
    second: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Other namespace, such as shadow.")],
    sample: Sample = None,
    tolerance: Tolerance = None,
) -> None:
    """Compare the signals of two namespaces.

    Counts by facet, tier, source, confidence and profile, and the kind of change behind each difference. The command
    names no user and writes nothing.
    """
    with errors_apart(as_json=invocation.output.as_json):
        settings = invocation.settings(needs_secret=False)
        if first == second:
            raise ConfigurationError([f"namespace: {first} is compared with itself; name two namespaces"])
        terms = terms_of(settings, sample, tolerance or 0.0)
        with namespaces_of(settings) as namespaces:
            namespaces.require(first)
            namespaces.require(second)
            found = namespaces.compare(first, second, terms)
    invocation.output.show(found.as_dict(), lambda: console.out.print(*difference_tables(found), sep="\n"))
    if found.differs:
        raise typer.Exit(FAILED)


def terms_of(settings: Settings, sample: int | None, tolerance: float) -> Terms:
    """Return the terms of a comparison.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    problems = []
    if sample is not None and sample < 1:
        problems.append(f"sample: {sample} is no number of users; use 1 or more")
    if not 0 <= tolerance <= 1:
        problems.append(f"tolerance: {tolerance:g} is no difference of confidence; use 0 to 1")
    if problems:
        raise ConfigurationError(problems)
    expired_ms = 0 if settings.ttl_ms is None else time_ns() // 1_000_000 - settings.ttl_ms
    return Terms(tolerance, sample, expired_ms)
