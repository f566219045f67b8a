"""The command line: `tacit run | replay | rebuild | simulate | evaluate | show | state | check | demo`."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from connectors.kafka.address import TopicAddress
from dataflows.job import Job, parse_source
from dataflows.observability.logs import configure
from dataflows.rebuild import rebuild as run_rebuild
from dataflows.runtime.live import run_live
from dataflows.runtime.replay import replay as run_replay
from state.catalogue.numbered import NumberedCatalogue
from tacit.errors import ConfigurationError, TacitError
from tacit.reader.reader import SignalReader
from tacit_cli import console, options
from tacit_cli import evaluate_command as evaluate_cli
from tacit_cli import namespace_commands as namespaces_cli
from tacit_cli import state_commands as state_cli
from tacit_cli.check import check_all
from tacit_cli.demo import run_demo
from tacit_cli.invoked import settings_of
from tacit_cli.views.adaptation_panel import adaptation_as_dict, adaptation_panel
from tacit_cli.views.summary import rebuilt_table, replay_table, users_with_signals
from tacit_lab.simulate import Scenario
from tacit_lab.simulate import simulate as make_simulation
from tacit_lab.simulate.output import write_events

app = typer.Typer(
    help="Learns, in real time, how each person likes an AI assistant to answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(state_cli.app)
app.add_typer(namespaces_cli.redis_app)

Sources = Annotated[list[str], typer.Argument(metavar="SOURCE", help="FILE… or kafka://HOST:PORT/TOPIC")]


@app.command()
def run(  # the options carry their own help
    context: typer.Context,
    source: Sources,
    redis: options.Redis = None,
    embedded: options.Embedded = None,
    region: options.Region = None,
    catalogue: options.Catalogue = None,
    format: options.Format = None,  # noqa: A002  # the setting's name
    state: options.State = None,
    namespace: options.Namespace = None,
    rejects: options.Rejects = None,
    processes: options.Processes = None,
    shards: options.Shards = None,
    checkpoint_every: options.CheckpointEvery = None,
    cache: options.Cache = None,
    population: options.Population = None,
    ttl: options.Ttl = None,
    start: options.Start = None,
    metrics: options.Metrics = None,
) -> None:
    """Run for ever: a Kafka topic to signals in Redis. SIGTERM stops it with nothing lost and nothing repeated."""
    with settings_of(context) as settings:
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
    catalogue: options.Catalogue = None,
    format: options.Format = None,  # noqa: A002  # the setting's name
    state: options.State = None,
    namespace: options.Namespace = None,
    rejects: options.Rejects = None,
    processes: options.Processes = None,
    shards: options.Shards = None,
    checkpoint_every: options.CheckpointEvery = None,
    cache: options.Cache = None,
    population: options.Population = None,
    ttl: options.Ttl = None,
    start: options.Start = None,
    metrics: options.Metrics = None,
    json: options.Json = False,
) -> None:
    """Run over history: files, or a Kafka topic up to its end now, with the dataflow that `run` uses."""
    with settings_of(context) as settings:
        job = Job(settings, parse_source(source), bounded=True)
        with console.progress(job.source, hidden=json) as report:
            done = run_replay(job, report)
        people = users_with_signals(settings)
        if json:
            console.print_json(done.as_dict() | {"users_with_signals": people})
        else:
            console.out.print(replay_table(done, people, settings))
        if done.counters.stopped:
            go_on = "the same command goes on" if settings.state else "with --state DIR the same command would go on"
            raise TacitError(f"stopped before the end; {go_on} from there")


@app.command()
def rebuild(
    context: typer.Context,
    state: options.StateFolder = None,
    redis: options.Redis = None,
    catalogue: options.Catalogue = None,
    namespace: options.RebuiltNamespace = None,
    ttl: options.Ttl = None,
    json: options.Json = False,
) -> None:
    """Write to Redis again what a state folder holds, workers running or not: for a Redis that has lost data.

    Consent and wipes of everybody come first, then pins, learned signals and
    profiles: of whatever was ever said, what the newest checkpoint holds. So
    versions may be newer than those lost. Nothing newer is overwritten, and what
    would have expired by now stays away. What workers said after that checkpoint
    comes with a rebuild after the next one. Which namespace was active the folder
    does not know: set it again.
    """
    with settings_of(context) as settings:
        folder = state_cli.folder_of(settings)
        into = settings.namespace if "namespace" in settings.model_fields_set else None
        with console.share_done("Rebuilding", hidden=json) as report:
            done = run_rebuild(folder, settings, into, report)
    if json:
        console.print_json(done.as_dict())
    else:
        console.out.print(rebuilt_table(done))


@app.command()
def simulate(
    out: Annotated[str, typer.Option(metavar="FILE|kafka://HOST:PORT/TOPIC", help="Where the events go.")],
    users: Annotated[int, typer.Option(metavar="N", help="People.")] = 2000,
    turns: Annotated[int, typer.Option(metavar="N", help="Answers in all.")] = 60_000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed and end make the same events.")] = 1,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="What the people really like (.jsonl).")] = None,
    region: Annotated[str, typer.Option(metavar="NAME", help="The people's region.")] = "eu",
    catalogue: options.Catalogue = None,
    end: Annotated[
        int | None, typer.Option(metavar="EPOCH_MS", help="The newest event's time; now if not given.")
    ] = None,
) -> None:
    """Make the events of a Copilot deployment, with a known truth, from a seed."""
    scenario = Scenario(
        end_ms=time.time_ns() // 1_000_000 if end is None else end, users=users, turns=turns, seed=seed, region=region
    )
    simulation = make_simulation(scenario, NumberedCatalogue.load(catalogue) if catalogue else None)
    events = write_events(simulation.events, out)
    if truth is not None:
        simulation.truth.write(truth)
    console.out.print(f"{events:,} events of {users:,} people in {out}" + (f"; the truth in {truth}" if truth else ""))


app.command()(evaluate_cli.evaluate)
app.command()(namespaces_cli.diff)
app.command()(namespaces_cli.promote)


@app.command()
def show(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user id, as events have it.")],
    redis: options.Redis = None,
    region: options.Region = None,
    catalogue: options.Catalogue = None,
    namespace: options.ReadNamespace = None,
    json: options.Json = False,
) -> None:
    """Show what Copilot sees of one person, and the prompt text made from it."""
    with (
        settings_of(context) as settings,
        SignalReader(
            settings.redis,
            region=settings.region,
            secret=settings.secret_bytes,
            catalogue=NumberedCatalogue.load(settings.catalogue),
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
    catalogue: options.Catalogue = None,
    state: options.State = None,
    namespace: options.Namespace = None,
    shards: options.Shards = None,
    rejects: options.Rejects = None,
    json: options.Json = False,
) -> None:
    """Check configuration, catalogue, Redis, Kafka and folders: what is wrong, and what to do."""
    with settings_of(context) as settings:
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
