"""Command `tacit run`."""

from typing import Annotated

import typer

from dataflows.cut_settings import CUTS
from dataflows.handover.taking_over import resumed_from_hand_over, take_over
from dataflows.host_settings import HOSTS
from dataflows.runtime.live import run_live
from dataflows.settings import STATE, WORKER_GROUPS
from tacit.errors import ConfigurationError
from tacit_cli.arguments import FromReplay
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.live_job import live_job
from tacit_cli.worker_settings import worker_settings

app = new_app()

Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Take a namespace with signals that come from another state; what was learned before is then replaced.",
        rich_help_panel=STATE,
    ),
]

FromSavepoint = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="NAME",
        help="Savepoint of --checkpoints to begin from; a later start with the same name continues.",
        rich_help_panel=CUTS,
    ),
]


@command(
    app,
    "tacit run kafka://localhost:9092/events --redis redis://localhost:6379 --state /var/lib/tacit",
    settings=(*WORKER_GROUPS, CUTS, HOSTS),
    has_result=False,
)
def run(
    invocation: Invocation,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Topic, as kafka://HOST:PORT/TOPIC, or a .jsonl file.")
    ],
    from_replay: FromReplay = None,
    from_savepoint: FromSavepoint = None,
    adopt: Adopt = False,
) -> None:
    """Process a Kafka topic, or a file that grows, continuously, and write signals to Redis.

    SIGTERM stops the run after a checkpoint: with --state, the same command resumes there, without a loss or a
    repetition.
    """
    with worker_settings(invocation) as settings:
        job = live_job(settings, source, adopts=adopt)
        if from_replay:
            if job.files:
                raise ConfigurationError(["from_replay: needs a topic; a run reads a log from its first line"])
            take_over(job, from_replay)
        run_live(resumed_from_hand_over(job), from_savepoint)
