"""`tacit evaluate`: how good predictions are on a stream, beside those of River's own models."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from dataflows.job import Job, parse_source
from dataflows.observability.logs import configure
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.learning.population_prior import Prior
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tacit_cli import console, options
from tacit_cli.invoked import settings_without_pseudonyms

Source = Annotated[list[str], typer.Argument(metavar="SOURCE", help="FILE… or kafka://HOST:PORT/TOPIC")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", metavar="NAME", help="The set of signals that version N belongs to.")
]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE.png|.svg", help="Draw the figures, too.")]

_REDIS_S = 5.0


def evaluate(  # the options carry their own help
    context: typer.Context,
    source: Source,
    catalogue: options.Catalogue = None,  # noqa: ARG001  # what typer parsed is read from its context, whole
    region: options.Region = None,  # noqa: ARG001
    population: options.Population = None,  # noqa: ARG001
    redis: options.Redis = None,  # noqa: ARG001
    namespace: Namespace = None,  # noqa: ARG001
    plot: Plot = None,
    json: options.Json = False,
) -> None:
    """Score predictions on a stream, each made before its judgement is learned from, beside River's own models.

    Files, or a Kafka topic up to its end now. Nothing is written but the picture
    (--plot), and Redis is asked for nothing but the version of --population N.
    """
    # Imported here as all commands would wait for it.
    from tacit_lab import evaluate as evaluation

    if plot is not None:
        evaluation.require_plot(plot)
    settings = settings_without_pseudonyms(context)
    configure(settings.log_level or "warning")
    job = Job(settings, parse_source(source), bounded=True)
    keeps_to = _prior_to_keep_to(settings)
    with console.progress(job.source, hidden=json) as report:
        found = evaluation.evaluate(job, keeps_to, report)
    if json:
        console.print_json(found.as_dict())
    else:
        console.out.print(evaluation.evaluation_table(found))
    if plot is not None:
        evaluation.plot(found, plot)


def _prior_to_keep_to(settings: Settings) -> Prior | None:
    """Return what is believed of everybody throughout; None to learn it.

    Raises:
        ConfigurationError: Redis does not have the version that the settings name.
        SinkError: it does not answer.
    """
    if settings.population == "learn":
        return None
    catalogue = NumberedCatalogue.load(settings.catalogue)
    if settings.population == "none":
        return Prior(catalogue)
    number, keys = int(settings.population), RegionKeys(settings.region).within(settings.namespace)
    with closing(PopulationRedisStore(RedisClient(settings.redis, retry_for_s=_REDIS_S), keys)) as store:
        version = store.fetch(number)
    if version is None:
        raise ConfigurationError(
            [f"population: version {number} is not in namespace {settings.namespace}: name another, or learn, or none"]
        )
    return Prior(catalogue, version)
