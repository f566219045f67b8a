"""`tacit diff`, `tacit promote` and `tacit redis acl`: what operators do with a region's Redis."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from connectors.redis.acl import PASSWORDS, redis_users
from connectors.redis.client import RedisClient
from connectors.redis.namespaces import Difference, Namespaces
from dataflows.settings import Settings
from tacit.contract.keys import RegionKeys
from tacit_cli import console, options
from tacit_cli.invoked import settings_without_pseudonyms

RETRY_FOR_S = 5.0
"""People wait for these."""

redis_app = typer.Typer(name="redis", help="What a Redis server needs for Tacit.", no_args_is_help=True)


@contextmanager
def _namespaces(settings: Settings) -> Iterator[Namespaces]:
    keys = RegionKeys(settings.region)
    with closing(Namespaces(RedisClient(settings.redis, retry_for_s=RETRY_FOR_S), keys)) as found:
        yield found


def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="NAMESPACE", help="A set of signals, as in live.")],
    second: Annotated[str, typer.Argument(metavar="NAMESPACE", help="The other one, as in shadow.")],
    redis: options.Redis = None,  # noqa: ARG001  # what typer parsed is read from its context, whole
    region: options.Region = None,  # noqa: ARG001
    json: options.Json = False,
) -> None:
    """Compare what two namespaces say of everybody, facet by facet. Nobody is named, and nothing is written."""
    settings = settings_without_pseudonyms(context)
    with _namespaces(settings) as namespaces:
        found = namespaces.compare(first, second)
    if json:
        console.print_json(found.as_dict())
    else:
        for table in difference_tables(found):
            console.out.print(table)


def promote(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAMESPACE", help="The set of signals that Copilot is to read.")],
    redis: options.Redis = None,  # noqa: ARG001
    region: options.Region = None,  # noqa: ARG001
    json: options.Json = False,
) -> None:
    """Let Copilot read another namespace: readers follow within a second, and the way back is the same command."""
    settings = settings_without_pseudonyms(context)
    with _namespaces(settings) as namespaces:
        before = namespaces.promote(name)
    if json:
        console.print_json({"region": settings.region, "active": name, "before": before})
    elif before == name:
        console.out.print(f"Copilot reads {name}, as before")
    else:
        console.out.print(f"Copilot reads {name} now, {before} before; back again: tacit promote {before}")


@redis_app.command()
def acl(context: typer.Context, region: options.Region = None, json: options.Json = False) -> None:  # noqa: ARG001
    """Print the users of a region for Redis' aclfile, with rights to what each needs and nothing else.

    Passwords come from TACIT_READER_PASSWORD, TACIT_WRITER_PASSWORD and
    TACIT_AUDITOR_PASSWORD; those that are not set are made up, and told on stderr this
    once: the file has their SHA-256 only.
    """
    users = redis_users(settings_without_pseudonyms(context).region)
    if json:
        console.print_json([user._asdict() for user in users])
        return
    for user in users:
        typer.echo(user.rules)
        if user.password:
            made_up = f"{user.name}: password {user.password}  (made up, as {PASSWORDS[user.name]} is not set)"
            console.err.print(made_up, soft_wrap=True)


def difference_tables(found: Difference) -> list[Table]:
    """Return the counts of people, and a line per facet."""
    people = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(2):
        people.add_column(justify="right" if people.columns else "left")
    people.add_column()
    people.add_row(Text("people in both", "bold"), Text(f"{found.both:,}", "bold"), "")
    people.add_row("  the same of every facet", f"{found.same:,}", "value, tier and source")
    people.add_row("  opted out in one of them", f"{found.opted_out_in_one:,}", "")
    people.add_row(f"people in {found.first} only", f"{found.only_first:,}", "")
    people.add_row(f"people in {found.second} only", f"{found.only_second:,}", "")
    if found.unreadable:
        people.add_row("fields that are no signals", f"{found.unreadable:,}", "readers pass over them")
    facets = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in (
        "facet", "in both", "other\nvalue", "other\ntier", "other\nsource", "confidence\nmoved",
        f"{found.first}\nonly", f"{found.second}\nonly",
    ):  # fmt: skip
        facets.add_column(heading, justify="left" if heading == "facet" else "right", vertical="bottom", no_wrap=True)
    for name, facet in sorted(found.facets.items()):
        moved = f"{facet.confidence_moved / facet.confident:.3f}" if facet.confident else "–"
        shares = [f"{count:,} ({count / facet.both:.0%})" if facet.both else "–" for count in (facet.value, facet.tier)]
        counts = [f"{count:,}" for count in (facet.only_first, facet.only_second)]
        facets.add_row(name, f"{facet.both:,}", *shares, f"{facet.source:,}", moved, *counts)
    return [people, facets] if found.facets else [people]
