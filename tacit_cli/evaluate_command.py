"""Command `tacit evaluate`."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from dataflows.job import Job, parse_source
from dataflows.selection import Selection
from dataflows.settings import EXACT, MODEL, OUTPUT, Settings
from state.catalogue.numbered import NumberedCatalogue
from state.learning.population_prior import Prior
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.arguments import Sources
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.progress import replay_progress
from tacit_cli.worker_settings import logged_settings
from tacit_lab import evaluate as evaluation

app = new_app()

Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.png|.svg", help="Draw the figures to a file.", rich_help_panel=OUTPUT),
]

Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        metavar="CLASS",
        help="Classifier of River as another baseline, with parameters from [models]; may be repeated.",
        rich_help_panel=MODEL,
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="CATALOGUE.toml|CLASS",
        help="Another catalogue, or a classifier of River, to compare on the same answers.",
        rich_help_panel=MODEL,
    ),
]

_REDIS_S = 5.0


@command(
    app,
    "tacit evaluate events.jsonl --plot figures.svg",
    settings=("format", "start", "lateness", "redis", "region", "namespace", "catalogue", "population", "log_level"),
    texts={"namespace": ("Namespace of population version N.", "live")},
)
def evaluate(
    invocation: Invocation,
    source: Sources,
    baseline: Baselines = None,
    against: Against = None,
    plot: Plot = None,
) -> None:
    """Score predictions on a stream against River's own models.

    Each prediction is made before the model trains on its feedback. The command writes nothing except the plot, and
    reads from Redis only the version of --population N. --population exact leaves out the noise and the rule of 20
    contributors, to show what these cost.
    """
    if plot is not None:
        evaluation.require_plot(plot)
    settings, output = replace(logged_settings(invocation, needs_secret=False), state=None), invocation.output
    job = Job(settings, parse_source(source, settings.kafka), bounded=True, selection=Selection(begin=settings.start))
    prior = _fixed_prior(settings)
    others = [_river(path, settings) for path in baseline or ()]
    rival = None if against is None else _rival(against, settings)
    hidden = output.hides_progress or not console.err.is_terminal
    with replay_progress(job.files, hidden=hidden) as report:
        found = evaluation.evaluate(job, prior, report, others, rival)
    output.show(found.as_dict(), lambda: _print(found))
    if found.warning is not None:
        console.err.print(f"tacit: WARNING: {found.warning}", soft_wrap=True)
    if plot is not None:
        evaluation.plot(found, plot)


def _print(found: evaluation.Evaluation) -> None:
    console.out.print(evaluation.evaluation_table(found))
    for pair in found.pairs:
        console.out.print("", evaluation.paired_table(found, pair))
        if (choices := evaluation.choices_table(pair)) is not None:
            console.out.print("", choices)


def _river(path: str, settings: Settings) -> evaluation.RiverBaseline:
    return evaluation.RiverBaseline(path, (settings.models or {}).get(path))


def _rival(text: str, settings: Settings) -> evaluation.Predictor | Path:
    """Return the classifier of an import path, or the path of a catalogue.

    Raises:
        ConfigurationError: the class or the catalogue is wrong, or only one catalogue could use the fixed population.
    """
    if not text.endswith(".toml"):
        if not text.startswith("river."):
            raise ConfigurationError(
                [f"against: {text} is no catalogue, as its name does not end with .toml, and no class below river"]
            )
        return _river(text, settings)
    if settings.population not in {"learn", "none", EXACT}:
        raise ConfigurationError(
            ["against: another catalogue cannot use one population version; use --population learn, exact or none"]
        )
    NumberedCatalogue.load(Path(text))
    return Path(text)


def _fixed_prior(settings: Settings) -> Prior | None:
    """Return the prior for the whole stream; None to train one.

    Raises:
        ConfigurationError: Redis does not have the population version that the settings name.
        SinkError: Redis does not answer.
    """
    if settings.population in {"learn", EXACT}:
        return None
    catalogue = NumberedCatalogue.load(settings.catalogue)
    if settings.population == "none":
        return Prior(catalogue)
    number, keys = int(settings.population), RegionKeys(settings.region).within(settings.namespace)
    with closing(PopulationRedisStore(RedisClient(settings.redis, retry_for_s=_REDIS_S), keys)) as store:
        version = store.fetch(number)
    if version is None:
        raise ConfigurationError(
            [f"population: version {number} is not in namespace {settings.namespace}; use another, learn or none"]
        )
    return Prior(catalogue, version)
