"""The command line: `tacit run | replay | simulate | show | check | demo`."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from connectors.kafka_settings import TopicAddress
from dataflows.job import Job, parse_source
from dataflows.live import run_live
from dataflows.logs import configure
from dataflows.replay import replay as run_replay
from dataflows.settings import Settings, load
from state.catalogue import Catalogue
from state.errors import ConfigurationError, TacitError
from tacit import console, options
from tacit.check import check_all
from tacit.demo import run_demo
from tacit.embedded import EmbeddedRedis
from tacit.reader import SignalReader
from tacit.show import adaptation_as_dict, adaptation_panel
from tacit.simulate import Scenario
from tacit.simulate import simulate as make_simulation
from tacit.simulate.output import write_events
from tacit.summary import people_with_signals, replay_table

app = typer.Typer(
    help="Learns, in real time, how each person likes an AI assistant to answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Sources = Annotated[list[str], typer.Argument(metavar="SOURCE", help="FILE… or kafka://HOST:PORT/TOPIC")]


@contextmanager
def _settings(context: typer.Context) -> Iterator[Settings]:
    """Give the settings of a command, with the embedded Redis running if they ask for one."""
    settings = load({name: value for name, value in context.params.items() if name in Settings.model_fields})
    configure(settings.log_level or "warning")
    if not settings.embedded:
        yield settings
        return
    with EmbeddedRedis() as server:
        yield settings.model_copy(update={"redis": server.url})


@app.command()
def run(  # the options carry their own help
    context: typer.Context,
    source: Sources,
    redis: options.Redis = None,
    embedded: options.Embedded = None,
    region: options.Region = None,
    catalogue: options.CatalogueFile = None,
    state: options.State = None,
    namespace: options.Namespace = None,
    rejects: options.Rejects = None,
    processes: options.Processes = None,
    shards: options.Shards = None,
    epoch: options.Epoch = None,
    population: options.Population = None,
    ttl: options.Ttl = None,
    start: options.Start = None,
    metrics: options.Metrics = None,
) -> None:
    """Run for ever: a Kafka topic to signals in Redis. SIGTERM stops it with nothing lost and nothing repeated."""
    with _settings(context) as settings:
        topic = parse_source(source)
        if not isinstance(topic, TopicAddress):
            raise ConfigurationError(["source: run reads kafka://HOST:PORT/TOPIC; files are for replay"])
        job = Job(settings, topic, bounded=False)
        configure(job.log_level)
        run_live(job)


@app.command()
def replay(
    context: typer.Context,
    source: Sources,
    redis: options.Redis = None,
    embedded: options.Embedded = None,
    region: options.Region = None,
    catalogue: options.CatalogueFile = None,
    state: options.State = None,
    namespace: options.Namespace = None,
    rejects: options.Rejects = None,
    processes: options.Processes = None,
    shards: options.Shards = None,
    epoch: options.Epoch = None,
    population: options.Population = None,
    ttl: options.Ttl = None,
    start: options.Start = None,
    metrics: options.Metrics = None,
    json: options.Json = False,
) -> None:
    """Run over history: files, or a Kafka topic up to its end now, with the dataflow that `run` uses."""
    with _settings(context) as settings:
        job = Job(settings, parse_source(source), bounded=True)
        with console.progress(job.source, hidden=json) as report:
            done = run_replay(job, report)
        people = people_with_signals(settings)
        if json:
            console.print_json(done.as_dict() | {"people_with_signals": people})
        else:
            console.out.print(replay_table(done, people, settings))
        if done.counters.stopped:
            go_on = "the same command goes on" if settings.state else "with --state DIR the same command would go on"
            raise TacitError(f"stopped before the end; {go_on} from there")


@app.command()
def simulate(
    out: Annotated[str, typer.Option(metavar="FILE|kafka://HOST:PORT/TOPIC", help="Where the events go.")],
    users: Annotated[int, typer.Option(metavar="N", help="People.")] = 2000,
    turns: Annotated[int, typer.Option(metavar="N", help="Answers in all.")] = 60_000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed and end make the same events.")] = 1,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="What the people really like (.jsonl).")] = None,
    region: Annotated[str, typer.Option(metavar="NAME", help="The people's region.")] = "eu",
    catalogue: options.CatalogueFile = None,
    end: Annotated[
        int | None, typer.Option(metavar="EPOCH_MS", help="The newest event's time; now if not given.")
    ] = None,
) -> None:
    """Make the events of a Copilot deployment, with a known truth, from a seed."""
    scenario = Scenario(
        end_ms=time.time_ns() // 1_000_000 if end is None else end, users=users, turns=turns, seed=seed, region=region
    )
    simulation = make_simulation(scenario, Catalogue.load(catalogue) if catalogue else None)
    events = write_events(simulation.events, out)
    if truth is not None:
        simulation.truth.write(truth)
    console.out.print(f"{events:,} events of {users:,} people in {out}" + (f"; the truth in {truth}" if truth else ""))


@app.command()
def show(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user id, as events have it.")],
    redis: options.Redis = None,
    region: options.Region = None,
    catalogue: options.CatalogueFile = None,
    namespace: options.ReadNamespace = None,
    json: options.Json = False,
) -> None:
    """Show what Copilot sees of one person, and the prompt text made from it."""
    with (
        _settings(context) as settings,
        SignalReader(
            settings.redis,
            region=settings.region,
            secret=settings.secret_bytes,
            catalogue=Catalogue.load(settings.catalogue),
            namespace=settings.namespace if "namespace" in settings.model_fields_set else None,
        ) as reader,
    ):
        adaptation = reader.get(user)
        if json:
            console.print_json(adaptation_as_dict(adaptation))
        else:
            console.out.print(adaptation_panel(adaptation, user))
    if adaptation.status == "unavailable":
        raise typer.Exit(1)


@app.command()
def check(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="FILE or kafka://HOST:PORT/TOPIC")] = None,
    redis: options.Redis = None,
    region: options.Region = None,
    catalogue: options.CatalogueFile = None,
    state: options.State = None,
    namespace: options.Namespace = None,
    shards: options.Shards = None,
    rejects: options.Rejects = None,
    json: options.Json = False,
) -> None:
    """Check configuration, catalogue, Redis, Kafka and folders: what is wrong, and what to do."""
    with _settings(context) as settings:
        findings = check_all(settings, source)
    if json:
        console.print_json([finding.as_dict() for finding in findings])
    else:
        console.print_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def demo(
    users: Annotated[int, typer.Option(metavar="N", help="People.")] = 2000,
    turns: Annotated[int, typer.Option(metavar="N", help="Answers in all.")] = 60_000,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed, another crowd.")] = 1,
) -> None:
    """Simulate a Copilot deployment, run the real dataflow over it, and show what Copilot then reads."""
    run_demo(users=users, turns=turns, seed=seed)


def main() -> None:
    """Run the command line: status 0, 1 if it failed or came to no end, 2 if it was asked for wrongly."""
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except ConfigurationError as error:
        console.print_problems(error.problems)
        sys.exit(2)
    except TacitError as error:
        console.print_problems(str(error).splitlines())
        sys.exit(1)


def _end(number: int, _frame: FrameType | None) -> None:
    """End as the signal would have ended us, but with everything closed; a run takes the signal itself."""
    sys.exit(128 + number)
