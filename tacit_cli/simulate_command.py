"""Command `tacit simulate`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from state.catalogue.numbered import NumberedCatalogue
from tacit.errors import ConfigurationError
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.worker_settings import logged_settings
from tacit_lab.simulate import Scenario
from tacit_lab.simulate import simulate as make_simulation
from tacit_lab.simulate.output import write_events

app = new_app()

Out = Annotated[
    str,
    typer.Option(
        "--out",
        metavar="FILE|kafka://HOST:PORT/TOPIC",
        help="Destination of the events: .jsonl, .jsonl.gz, .jsonl.zst or a topic.",
    ),
]
Users = Annotated[int, typer.Option("--users", metavar="N", help="Number of users.")]
Turns = Annotated[int, typer.Option("--turns", metavar="N", help="Number of answers, over all users.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed; the same seed and end give the same events.")]
Topical = Annotated[
    float, typer.Option("--topical", metavar="SHARE", help="Share of the users whose tastes differ by topic.")
]
Truth = Annotated[
    Path | None, typer.Option("--truth", metavar="FILE", help="Write the true preferences of the users (.jsonl).")
]
End = Annotated[
    int | None,
    typer.Option("--end", metavar="EPOCH_MS", help="Time of the newest event.", show_default="the current time"),
]


@command(
    app,
    "tacit simulate --users 200 --turns 4000 --out events.jsonl.zst --truth truth.jsonl",
    settings=("region", "catalogue"),
)
def simulate(
    invocation: Invocation,
    out: Out,
    users: Users = 2000,
    turns: Turns = 60_000,
    seed: Seed = 1,
    topical: Topical = 0.0,
    truth: Truth = None,
    end: End = None,
) -> None:
    """Generate events of simulated users, with their true preferences."""
    if truth is not None and truth.resolve() == Path(out).resolve():
        raise ConfigurationError([f"truth: {truth} is the file of the events, too; name another file"])
    settings = logged_settings(invocation, needs_secret=False)
    end_ms = time.time_ns() // 1_000_000 if end is None else end
    scenario = Scenario(end_ms=end_ms, users=users, turns=turns, seed=seed, region=settings.region, topical=topical)
    simulation = make_simulation(scenario, NumberedCatalogue.load(settings.catalogue))
    events = write_events(simulation.events, out, settings.kafka)
    if truth is not None:
        simulation.truth.write(truth)
    document = {"events": events, "users": users, "out": out, "truth": str(truth) if truth else None}
    note = f"; their true preferences in {truth}" if truth else ""
    invocation.output.print(document, lambda: f"{events:,} events of {users:,} users in {out}{note}")
