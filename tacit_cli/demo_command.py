"""Command `tacit demo`."""

from typing import Annotated

import typer

from tacit_cli.command import new_app
from tacit_cli.demo import run_demo
from tacit_cli.grouped_help import GroupedCommand, epilog

app = new_app()


@app.command(cls=GroupedCommand, epilog=epilog(("tacit demo --users 500 --turns 15000",), "the demo failed"))
def demo(
    users: Annotated[int, typer.Option(metavar="N", help="Number of users.")] = 2000,
    turns: Annotated[int, typer.Option(metavar="N", help="Number of answers, over all users.")] = 60_000,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the simulation.")] = 1,
) -> None:
    """Simulate a deployment, process its events, and show the signals.

    It uses an embedded Redis and a temporary folder, no setting, and leaves nothing.
    """
    run_demo(users=users, turns=turns, seed=seed)
