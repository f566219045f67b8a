"""Commands `tacit rejects …`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from connectors.kafka.times import parse_time
from dataflows.rejects.advice import ADVICE
from dataflows.rejects.finding import find_record
from dataflows.rejects.listing import Filter, list_rejects
from dataflows.rejects.repaired import read_repairs
from dataflows.rejects.retry import Outcome, Plan
from dataflows.rejects.retry import retry as retry_rejects
from dataflows.rejects.stored import Mark, Place, StoredReject, destinations, read_stored
from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.command import command, new_app
from tacit_cli.failures import FAILED
from tacit_cli.invocation import Invocation
from tacit_cli.views.rejects import Shown, listing_tables, retried_table, shown_table

app = new_app("rejects", "List rejects, find their records, and feed records back.")

LIMIT = 20

Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="REASON", help="Only rejects of this reason; may be repeated."),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only rejects from this time on: a date, ISO 8601 with a zone, or epoch ms."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", help="Number of rejects to name.", show_default=str(LIMIT)),
]
Most = Annotated[int | None, typer.Option("--limit", metavar="N", help="Most rejects at once.", show_default="10000")]
Look = Annotated[
    list[str] | None,
    typer.Option(
        "--look",
        metavar="PATH|kafka://HOST:PORT/TOPIC",
        help="File, folder or topic with the records now, if not at their origin; may be repeated.",
    ),
]
Origin = Annotated[
    str, typer.Argument(metavar="ORIGIN", help="Origin in the list: TOPIC/PARTITION/OFFSET or FILE:LINE.")
]
Origins = Annotated[
    list[str] | None,
    typer.Argument(metavar="ORIGIN", help="Origins of the rejects to retry.", show_default="all"),
]
Content = Annotated[
    bool, typer.Option("--content", help="Print the record, too: it may hold a user id and private content.")
]
Repaired = Annotated[
    Path | None,
    typer.Option("--repaired", metavar="FILE", help='Repaired records, a line {"origin": …, "event": {…}} for each.'),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="FILE.jsonl|kafka://HOST:PORT/TOPIC",
        help="Topic or file that gets the records.",
        show_default="--source",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Feed nothing; report what would be fed.")]

_PLACES = ("rejects", "control_rejects", "source")
_TEXTS = {
    "rejects": ("Topic or file of the rejects.", "tacit-rejects.jsonl"),
    "source": ("Source of the workers.", "no source"),
}


@command(
    app,
    "tacit rejects list --reason not_in_catalogue --since 2026-11-01",
    settings=("rejects", "control_rejects"),
    texts=_TEXTS,
)
def list_(  # the name of the command is list
    invocation: Invocation, reason: Reasons = None, since: Since = None, limit: Limit = None
) -> None:
    """Count the rejects by reason, and name the newest ones.

    Control events come first: they are a user's choice that was not carried out.
    """
    settings = invocation.settings(needs_secret=False)
    found = list_rejects(settings, _filter(reason, since), _positive(limit, LIMIT))
    invocation.output.show(found.as_dict(), lambda: console.out.print(*listing_tables(found), sep="\n"))


@command(
    app,
    "tacit rejects show events/0/42 --source kafka://localhost:9092/events",
    "tacit rejects show history/events.jsonl:77",
    settings=_PLACES,
    texts=_TEXTS,
)
def show(invocation: Invocation, origin: Origin, look: Look = None, content: Content = False) -> None:
    """Find the record of a reject, and explain what to do about it.

    The hash in the reject proves that the record is the same.
    """
    settings = invocation.settings(needs_secret=False)
    reject, marks = _rejects_of(settings, str(Place.parse(origin)))
    shown = Shown(reject, find_record(settings, reject, look or ()), marks, content)
    invocation.output.show(shown.as_dict(), lambda: console.out.print(shown_table(shown)))


@command(
    app,
    "tacit rejects retry --reason not_in_catalogue --source kafka://localhost:9092/events",
    "tacit rejects retry --repaired repaired.jsonl --to history/late.jsonl",
    settings=(*_PLACES, "format", "schema_registry", "region", "catalogue", "lateness", "state", "shards"),
    texts=_TEXTS | {"state": ("State folder of the workers, which shows the users' newest events.", "not read")},
    fails_if="a chosen record could not be fed, or the work failed",
)
def retry(
    invocation: Invocation,
    origin: Origins = None,
    repaired: Repaired = None,
    to: To = None,
    reason: Reasons = None,
    since: Since = None,
    limit: Most = None,
    look: Look = None,
    dry_run: DryRun = False,
) -> None:
    """Feed records back once: those that are acceptable now, or repaired ones.

    Each record is checked first, as a worker does. Control events come first, and a repair never makes one less
    restrictive. A second retry skips the records that were fed. After a kill, at most 100 records are fed again; the
    workers recognize them by their event ids.
    """
    settings = invocation.settings(needs_secret=False)
    destination = to or settings.source
    if destination is None:
        raise ConfigurationError(["to: is required; name the topic or .jsonl file by --to, or the source by --source"])
    repairs = None if repaired is None else read_repairs(repaired)
    origins = frozenset(str(Place.parse(text)) for text in origin or ())
    if repairs is not None and origins:
        raise ConfigurationError(["origin: --repaired names its origins itself; leave out one of the two"])
    plan = Plan(
        destination,
        _filter(reason, since),
        origins,
        None if repairs is None else repairs.by_origin,
        look or (),
        _positive(limit, 10_000),
        not dry_run,
    )
    done = retry_rejects(settings, plan)
    invocation.output.show(done.as_dict(), lambda: console.out.print(retried_table(done, destination, is_dry=dry_run)))
    if done.left or (done.more and not done.outcomes[Outcome.FED]):
        raise typer.Exit(FAILED)


def _filter(reasons: Sequence[str] | None, since: str | None) -> Filter:
    """Return the selection.

    Raises:
        ConfigurationError: an unknown reason, or a text that is no time.
    """
    unknown = [reason for reason in reasons or () if reason not in ADVICE]
    if unknown:
        allowed = ", ".join(map(str, ADVICE))
        raise ConfigurationError([f"reason: {reason!r} is no reason; allowed are {allowed}" for reason in unknown])
    since_ms = 0 if since is None else parse_time(since)
    if since_ms is None:
        raise ConfigurationError([f"since: {since!r} is no time; use a date, ISO 8601 with a zone, or epoch ms"])
    return Filter(frozenset(reasons or ()), since_ms)


def _positive(number: int | None, default: int) -> int:
    if number is not None and number < 1:
        raise ConfigurationError([f"limit: {number} is no number of rejects; use 1 or more"])
    return number or default


def _rejects_of(settings: Settings, origin: str) -> tuple[StoredReject, list[Mark]]:
    """Return the newest reject with an origin, and the marks of its retries.

    Raises:
        ConfigurationError: there is none.
    """
    found: StoredReject | None = None
    marks = []
    for destination in destinations(settings):
        for each in read_stored(settings, destination):
            if isinstance(each, StoredReject) and each.name == origin and (found is None or each.at >= found.at):
                found = each
            elif isinstance(each, Mark) and each.retried == origin:
                marks.append(each)
    if found is None:
        raise ConfigurationError([f"origin: no reject has the origin {origin}; see tacit rejects list"])
    return found, marks
