"""Command `tacit run`."""

from typing import Annotated

import typer

from connectors.kafka.address import TopicAddress
from dataflows.job import Job, parse_source
from dataflows.observability.logs import configure
from dataflows.outputs import refuse_outputs_in
from dataflows.runtime.live import run_live
from dataflows.settings import WORKER_GROUPS
from tacit.errors import ConfigurationError
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.worker_settings import worker_settings

app = new_app()


@command(
    app,
    "tacit run kafka://localhost:9092/events --redis redis://localhost:6379 --state /var/lib/tacit",
    settings=WORKER_GROUPS,
    has_result=False,
)
def run(
    invocation: Invocation,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Topic, as kafka://HOST:PORT/TOPIC.")],
) -> None:
    """Process a Kafka topic continuously, and write signals to Redis.

    SIGTERM stops the run after a checkpoint: with --state, the same command resumes there, without a loss or a
    repetition.
    """
    with worker_settings(invocation) as settings:
        topic = parse_source([source])
        if not isinstance(topic, TopicAddress):
            raise ConfigurationError(["source: run needs kafka://HOST:PORT/TOPIC; use tacit replay for files"])
        job = Job(settings, topic, bounded=False)
        refuse_outputs_in([source], settings)
        configure(job.log_level)
        run_live(job)
