"""Command `tacit replay`."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from dataflows.host_settings import HOSTS
from dataflows.observability.logs import configure
from dataflows.outputs import refuse_outputs_in
from dataflows.runtime.pace import Pace
from dataflows.runtime.replay import INTERRUPTED, Replayed
from dataflows.runtime.replay import replay as replay_job
from dataflows.settings import REPLAY, WORKER_GROUPS, Settings
from dataflows.state_folder import DESCRIPTION
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_cli.arguments import AddFiles, Again, Begin, End, SelectedUsers, Sources
from tacit_cli.command import command, new_app
from tacit_cli.failures import print_json_error
from tacit_cli.invocation import Invocation
from tacit_cli.progress import replay_progress
from tacit_cli.replay_job import ReplayOptions, make_job
from tacit_cli.replay_report import reported
from tacit_cli.views.summary import replay_table, users_with_signals
from tacit_cli.worker_settings import worker_settings

app = new_app()

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Write nothing: count the users, signals, gates and rejects that the replay would write.",
        rich_help_panel=REPLAY,
    ),
]

ReportFile = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a report of the whole replay, resumed parts included: FILE.json and the page FILE.html.",
        rich_help_panel=REPLAY,
    ),
]


@command(
    app,
    "tacit replay events.jsonl.zst --embedded",
    "tacit replay history/ --redis redis://localhost:6379 --namespace shadow --state tacit-state",
    settings=(*WORKER_GROUPS, REPLAY, HOSTS),
    hidden=("start",),
    fails_if="the replay failed",
)
def replay(
    invocation: Invocation,
    source: Sources,
    begin: Begin = None,
    end: End = None,
    selected: SelectedUsers = None,
    again: Again = False,
    add_files: AddFiles = False,
    dry_run: DryRun = False,
    report: ReportFile = None,
) -> None:
    """Process a history: files, folders, stdin, or Kafka topics up to their ends.

    The dataflow is that of tacit run. With --state, the same command resumes an earlier replay.
    SIGTERM and Ctrl-C stop a replay after a checkpoint, with status 0 and 130; a second Ctrl-C ends it at once.
    On several hosts, host 0 reports the replay of all, and the others print no summary.
    """
    output = invocation.output
    with worker_settings(invocation) as given:
        settings = _dry(given) if dry_run else given
        options = ReplayOptions(begin, end, selected, again, add_files, dry_run)
        job = make_job(invocation, settings, source, options)
        host, hosts = job.share
        pace = Pace(job.settings.rate / hosts) if job.settings.rate else None
        job = replace(job, pace=pace)
        refuse_outputs_in(source, settings)
        configure(settings.log_level or "warning", as_json=settings.log_json, file=settings.log_file)
        as_json = settings.log_json or output.as_json
        with (
            reported(job, None if host else report) as parts,
            replay_progress(job.files, hidden=output.quiet, as_json=as_json) as show,
        ):
            done = replay_job(job, show, _end_at_once, parts)
        if not host:
            _show(invocation, settings, done, is_dry=dry_run)
        if done.counters.stopped:
            _end_stopped(invocation, settings, done)


def _show(invocation: Invocation, settings: Settings, done: Replayed, *, is_dry: bool) -> None:
    """Show the summary."""
    users = done.counters.foreseen.users if is_dry else users_with_signals(settings)
    invocation.output.show(
        done.as_dict() | {"users_with_signals": users, "dry_run": is_dry},
        lambda: console.out.print(replay_table(done, users, settings, is_dry=is_dry)),
    )


def _dry(settings: Settings) -> Settings:
    """Return the settings of a dry run, which keeps no state.

    Raises:
        ConfigurationError: the state folder has a replay, which a dry run cannot resume.
    """
    if settings.state is not None and (settings.state / DESCRIPTION).exists():
        raise ConfigurationError(
            [f"dry_run: {settings.state} has a replay, which a dry run cannot resume; run it without --state"]
        )
    return replace(settings, state=None)


def _end_stopped(invocation: Invocation, settings: Settings, done: Replayed) -> None:
    """End a replay that stopped in order: with status 0 after SIGTERM, with 130 after Ctrl-C."""
    how = "the same command resumes there" if settings.state else "a replay with --state DIR can resume"
    text = f"replay: stopped before the end; {how}"
    if not invocation.output.as_json:
        typer.echo(f"tacit: {text}", err=True)
    elif done.interrupted:
        print_json_error("stopped", [text])
    if done.interrupted:
        raise typer.Exit(INTERRUPTED)


def _end_at_once() -> None:
    """End this process, with the cursor of a terminal as it was."""
    console.err.show_cursor()
    typer.echo("tacit: replay: ended at once; the work since the last checkpoint is repeated by the next run", err=True)
    os._exit(INTERRUPTED)
