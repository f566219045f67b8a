"""Continuous run from Kafka to Redis, with a restart after a temporary failure."""

from time import monotonic

import structlog

from dataflows.cuts.cut_run import cut_run
from dataflows.host_settings import host_problems
from dataflows.hosts.host_run import HostRun
from dataflows.job import Job
from dataflows.keeper import Keeper
from dataflows.observability.http import monitors
from dataflows.observability.watch import STOPPING, Watch
from dataflows.ownership import Ownership
from dataflows.runtime.hangup import reopened_by_hangup
from dataflows.runtime.run import run
from dataflows.runtime.starting import await_services
from dataflows.runtime.stopping import Stop, stopped_by_signals
from state.counters import Counters
from state.errors import (
    AccessError,
    GapError,
    ObjectStoppedError,
    OwnershipError,
    SourceError,
    StateError,
    UnreachableError,
)
from tacit.errors import ConfigurationError, TacitError

QUICK_FAILURE_S = 60.0
MAX_QUICK_FAILURES = 5
_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


def run_live(job: Job, savepoint: str | None = None, *, stands_by: bool = False) -> Counters:
    """Run until a stop request; after a temporary failure, resume from the last checkpoint.

    `savepoint` names a savepoint in object storage to begin from. With `stands_by`, the run begins when another one
    with the same object storage has ended.

    Raises:
        TacitError: the failure is permanent (a configuration, a state folder, a refusal of Kafka, a gap), the run has
            no state folder, or it failed `MAX_QUICK_FAILURES` times in a row within `QUICK_FAILURE_S` of its start.
    """
    if job.settings.state is None:
        if job.settings.group is not None:
            raise ConfigurationError(["group: needs --state, as the offsets of checkpoints are committed; add --state"])
        _log.warning("state.not_kept", advice="use --state DIR; without a state folder, each start reads from --start")
    settings = job.settings
    if problems := host_problems(
        settings, processes=settings.processes, keeps_state=bool(settings.state), is_embedded=bool(settings.embedded)
    ):
        raise ConfigurationError(problems)
    watch = Watch(settings.processes)
    with (
        stopped_by_signals() as stop,
        reopened_by_hangup(settings),
        monitors(job.metrics, watch),
        stop.notifies(lambda: watch.fail(STOPPING)),
    ):
        await_services(job, stop, watch)
        if stop.requested.is_set():
            return _stopped()
        try:
            if settings.host_addresses:
                return HostRun(job, savepoint, stop, watch).run()
            return _run_as_owner(job, savepoint, stop, watch, stands_by=stands_by)
        except ObjectStoppedError:  # of a start that waited for object storage
            return _stopped()


def _run_as_owner(job: Job, savepoint: str | None, stop: Stop, watch: Watch, *, stands_by: bool) -> Counters:
    ownership = Ownership(job, stop, watch)
    try:
        with Keeper(ownership, watch), cut_run(job, savepoint, ownership, stop, watch, stands_by=stands_by):
            return _run_with_restarts(job, stop, watch, ownership)
    finally:
        ownership.end()  # after the keeper, which would take the lease again
        if ownership.lease.is_lost:  # the cause of any other error
            raise OwnershipError(ownership.problem)


def _run_with_restarts(job: Job, stop: Stop, watch: Watch, ownership: Ownership) -> Counters:
    quick_failures = 0
    while True:
        started = monotonic()
        try:
            counters = run(job, lambda _: None, stop, watch, ownership)
            if not counters.source.grew or stop.requested.is_set():
                return counters
            _require_state_to_grow(job)
            _log.info("source.partitions_added", source=job.source_name)
        except (AccessError, ConfigurationError, StateError, GapError):
            raise
        except TacitError as error:
            quick_failures = quick_failures + 1 if monotonic() - started < QUICK_FAILURE_S else 0
            if isinstance(error, UnreachableError) and stop.requested.is_set():
                return _stopped()  # the source did not answer at a start, so nothing was in progress
            if job.settings.state is None or quick_failures >= MAX_QUICK_FAILURES or stop.requested.is_set():
                raise
            pause_s = _PAUSE_S * (1 + quick_failures)
            watch.restarting(str(error))
            _log.error("run.failed", error=str(error), restart_in_s=pause_s)
            if stop.requested.wait(pause_s):
                return _stopped()


def _stopped() -> Counters:
    """Return the counters of a run that a stop request ended while nothing was in progress."""
    return Counters(stopped=True)


def _require_state_to_grow(job: Job) -> None:
    if job.settings.state is None:
        raise SourceError(
            f"{job.source} has more partitions, which this run does not read, and no state folder to continue from; "
            "start it again"
        )
