"""Run in a single process or in several, with a lock on the state folder and a hold on the namespace."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from dataflows.hosts.line import require_whole
from dataflows.inputs import begin_inputs, finish_inputs
from dataflows.job import Job
from dataflows.observability.watch import Watch
from dataflows.ownership import Ownership
from dataflows.population_run import build_challengers
from dataflows.rules import rules_of
from dataflows.runtime.stopping import Stop
from dataflows.runtime.supervisor import Seat, run_workers
from dataflows.runtime.worker import WorkerAddress, run_worker
from dataflows.state_folder import REMEDY, StateFolder, locked
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters


def run(
    job: Job,
    report: Callable[[Counters], None],
    stop: Stop,
    watch: Watch,
    ownership: Ownership,
    meet: Callable[[StateFolder, Job], Seat] | None = None,
) -> Counters:
    """Run a job to its end or until a stop request, and return the sum of all counters.

    Args:
        job: source, settings and target.
        report: receives the counters a few times a second, in another thread if the run has one process.
        stop: stop request of this process.
        watch: counters of each process, which continue over restarts.
        ownership: hold on the namespace, which begins under the lock of the state folder.
        meet: returns the seat of this host in a cluster, by the job with its inputs; None: the run has one host.

    Raises:
        TacitError: the first error of the run.
    """
    if stop.requested.is_set():  # during the start of Python and the imports
        return Counters(stopped=True)
    settings = job.settings
    if settings.state is not None and not job.again and job.share == (0, 1):
        require_whole(settings.state)
    build_challengers(settings)  # a wrong class is an error before the start
    catalogue = rules_of(settings).catalogue
    with _locked(job, catalogue) as folder:
        ownership.begin(folder)
        if stop.requested.is_set():  # it ended a wait for the namespace
            return Counters(stopped=True)
        job = begin_inputs(job, folder)
        hold = ownership.hold(job.filling)
        seat = meet(folder, job) if meet and folder else None
        if seat or settings.processes > 1:
            counters = run_workers(job, folder, report, stop, watch, hold, seat)
            counters = seat.end(counters) if seat else counters
        else:
            counters = run_worker(job, WorkerAddress(), folder, report, stop, watch.counters(0), hold)
        if job.filling is not None and not counters.stopped and (seat is None or seat.leads):
            ownership.end_filling(job.filling)  # also of a range without an interaction, which the next line refuses
        finish_inputs(job, folder, counters)
        return counters


def _locked(job: Job, catalogue: NumberedCatalogue) -> AbstractContextManager[StateFolder | None]:
    """Return the context in which the run holds its state folder; None in a run without one."""
    if job.settings.state is None:
        return nullcontext()
    remedy = f"{REMEDY}, or start over with --again" if job.bounded else REMEDY
    return locked(job.settings.state, job.identity, catalogue, again=job.again, remedy=remedy, share=job.share)
