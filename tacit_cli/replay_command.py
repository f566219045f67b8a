"""Command `tacit replay`."""

from dataflows.job import Job, parse_source
from dataflows.outputs import refuse_outputs_in
from dataflows.runtime.replay import replay as replay_job
from dataflows.settings import WORKER_GROUPS
from tacit.errors import TacitError
from tacit_cli import console
from tacit_cli.arguments import Sources
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.progress import replay_progress
from tacit_cli.views.summary import replay_table, users_with_signals
from tacit_cli.worker_settings import worker_settings

app = new_app()


@command(
    app,
    "tacit replay events.jsonl.zst --embedded",
    "tacit replay history/ --redis redis://localhost:6379 --namespace shadow --state tacit-state",
    settings=WORKER_GROUPS,
    fails_if="the replay failed, or stopped before the end",
)
def replay(invocation: Invocation, source: Sources) -> None:
    """Process a history: files, folders, or a Kafka topic up to its end.

    The dataflow is that of tacit run. With --state, the same command resumes an earlier replay.
    """
    output = invocation.output
    with worker_settings(invocation) as settings:
        job = Job(settings, parse_source(source), bounded=True)
        refuse_outputs_in(source, settings)
        with replay_progress(job.source, hidden=output.hides_progress) as report:
            done = replay_job(job, report)
        users = users_with_signals(settings)
        output.show(
            done.as_dict() | {"users_with_signals": users},
            lambda: console.out.print(replay_table(done, users, settings)),
        )
        if done.counters.stopped:
            how = "the same command resumes there" if settings.state else "a replay with --state DIR can resume"
            raise TacitError(f"replay: stopped before the end; {how}")
