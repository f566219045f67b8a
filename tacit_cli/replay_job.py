"""Job of `tacit replay`: its source, and the records that its options select."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.files.paths import STDIN
from connectors.files.remembered import read_inputs
from dataflows.host_settings import host_problems
from dataflows.job import Job, parse_source
from dataflows.population_run import population_store
from dataflows.selection import ALL_RECORDS, Selection, read_users
from dataflows.settings import Settings
from tacit.contract.keys import LIVE
from tacit.errors import ConfigurationError
from tacit_cli.invocation import Invocation


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of the command that are not settings."""

    begin: str | None = None
    end: str | None = None
    users: Path | None = None
    again: bool = False
    adds_files: bool = False
    is_dry: bool = False


def make_job(invocation: Invocation, settings: Settings, source: Sequence[str], options: ReplayOptions) -> Job:
    """Return the job of a replay.

    Hosts come from the option alone: a variable or a file may set those of a live run, whose ports are in use.

    Raises:
        ConfigurationError: an option that does not apply, or has another form.
    """
    on_hosts = invocation.flags.get("hosts") is not None
    if on_hosts:  # a replay makes no cuts
        settings = replace(settings, checkpoints=None)
    job = Job(
        settings,
        parse_source(source, settings.kafka),
        bounded=True,
        again=options.again,
        adds_files=options.adds_files,
        is_dry=options.is_dry,
        on_hosts=on_hosts,
    )
    problems = [*_misplaced(invocation, job), *(_host_problems(job) if on_hosts else _without_hosts(invocation))]
    selection = Selection(options.begin or "", options.end or "")
    try:
        selection.require_applicable(topics=len(job.topics))
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    if options.users is None:
        return job if selection == ALL_RECORDS else replace(job, selection=selection)
    fixed = _with_fixed_population(invocation, settings)
    selection = replace(selection, users=read_users(options.users, settings))
    return replace(job, selection=selection, settings=fixed)


def _misplaced(invocation: Invocation, job: Job) -> Iterator[str]:
    settings = job.settings
    if invocation.flags.get("start") is not None:
        yield "start: belongs to tacit run; a replay takes --from and --to"
    if STDIN in job.files and settings.state:
        yield "state: stdin cannot be read again, so no later run could resume; leave --state out, or name files"
    if STDIN in job.files and settings.processes > 1:
        yield "processes: stdin belongs to one process; use 1, or name files"
    if invocation.flags.get("group") is not None:
        yield "group: belongs to tacit run, as a replay commits no offsets; leave it out"
    if invocation.flags.get("tracing") is not None:
        yield "tracing: belongs to tacit run, as a replay continues no producer's trace; leave it out"
    if job.files and invocation.flags.get("on_gap") is not None:
        yield "on_gap: is about topics, and the source is files; leave it out"
    if job.again and job.adds_files:
        yield "again: starts over with all files; leave --add-files out"
    if settings.state is None and job.again:
        yield "again: without --state DIR each replay starts over; leave --again out"
    if job.adds_files and not (settings.state and job.files):
        yield "add_files: needs --state DIR, which remembers files; leave --add-files out"


def _host_problems(job: Job) -> Iterator[str]:
    settings = job.settings
    if job.files:
        yield (
            "hosts: share the partitions of topics, and one process reads all files; leave --hosts out, or produce the "
            "files to a topic"
        )
    if job.is_dry:
        yield "dry_run: keeps no state, from which hosts resume together; leave --hosts out"
    yield from host_problems(
        settings,
        processes=settings.processes,
        keeps_state=job.is_dry or settings.state is not None,
        is_embedded=bool(settings.embedded),
    )


def _without_hosts(invocation: Invocation) -> Iterator[str]:
    for name in ("host", "hosts_within"):
        if invocation.flags.get(name) is not None:
            yield f"{name}: belongs to several hosts; add --hosts, or leave it out"


def _with_fixed_population(invocation: Invocation, settings: Settings) -> Settings:
    """Return the settings with a population version that some users' feedback does not train."""
    if invocation.flags.get("population") == "learn":
        raise ConfigurationError(
            ["population: learn needs all users, and --users selects some; use none, a version's number, or no option"]
        )
    if settings.population != "learn":
        return settings
    known = read_inputs(settings.state) if settings.state else None
    if known and "users" in known.options and "population" in known.settings:
        return replace(settings, population=known.settings["population"])
    for namespace in (settings.namespace, LIVE):
        with closing(population_store(settings, settings.region, namespace)) as store:
            if newest := store.newest():
                return replace(settings, population=str(newest.n))
    return replace(settings, population="none")
