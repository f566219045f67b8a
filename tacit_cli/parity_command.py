"""Command `tacit parity`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dataflows.job import Job, parse_source
from dataflows.observability.parity_metrics import write_parity_metrics
from dataflows.parity.measure import measure_parity
from dataflows.settings import OUTPUT
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.arguments import Sources
from tacit_cli.command import command, new_app
from tacit_cli.diff_command import sample_option, terms_of, tolerance_option
from tacit_cli.failures import FAILED, errors_apart
from tacit_cli.invocation import Invocation
from tacit_cli.views.parity import parity_tables
from tacit_cli.worker_settings import logged_settings

app = new_app()

SAMPLE = 1000
TOLERANCE = 0.1
"""Twice the step by which a confidence must move for a signal to be emitted again."""

Sample = Annotated[int | None, sample_option(str(SAMPLE))]
Tolerance = Annotated[float | None, tolerance_option(str(TOLERANCE))]
FailUnder = Annotated[
    float | None,
    typer.Option("--fail-under", metavar="RATE", help="End with status 1 if the rate is lower.", show_default="never"),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics-file",
        metavar="FILE",
        help="Write the result as metrics, for the textfile collector of node_exporter.",
        rich_help_panel=OUTPUT,
    ),
]


@command(
    app,
    "tacit parity kafka://localhost:9092/events --sample 1000 --metrics-file /var/lib/node_exporter/tacit.prom",
    settings=(
        "format",
        "schema_registry",
        "lateness",
        "redis",
        "region",
        "namespace",
        "ttl",
        "catalogue",
        "population",
        "shards",
        "cache",
        "log_level",
    ),
    texts={"population": ("Population version of all signals: the newest, none, or version N.", "learn, the newest")},
    fails_if="the rate is below --fail-under",
    wrong_if="wrong usage or configuration, or the comparison failed",
)
def parity(
    invocation: Invocation,
    source: Sources,
    sample: Sample = None,
    tolerance: Tolerance = None,
    fail_under: FailUnder = None,
    metrics_file: MetricsFile = None,
) -> None:
    """Run a sample of users' history again, and compare with the signals in Redis.

    The sample is taken from the users that Redis serves. Their history goes through the dataflow of tacit replay into
    memory, with one population version for all signals; records of other users are skipped. Nothing is written.
    """
    with errors_apart(as_json=invocation.output.as_json):
        settings = logged_settings(invocation)
        if fail_under is not None and not 0 <= fail_under <= 1:
            raise ConfigurationError([f"fail-under: {fail_under:g} is no rate; use 0 to 1"])
        terms = terms_of(settings, SAMPLE if sample is None else sample, TOLERANCE if tolerance is None else tolerance)
        job = Job(replace(settings, embedded=False), parse_source(source, settings.kafka), bounded=True)
        found = measure_parity(job, terms)
        if metrics_file is not None:
            write_parity_metrics(found, metrics_file)
    invocation.output.show(found.as_dict(), lambda: console.out.print(*parity_tables(found), sep="\n"))
    if fail_under is not None and (found.rate is None or found.rate < fail_under):
        raise typer.Exit(FAILED)
