"""Run in a single process or in several, with a lock on the state folder."""

from collections.abc import Callable
from contextlib import nullcontext

from dataflows.job import Job
from dataflows.population_run import build_challengers
from dataflows.rules import rules_of
from dataflows.runtime.stopping import Stop
from dataflows.runtime.supervisor import run_workers
from dataflows.runtime.worker import WorkerAddress, run_worker
from dataflows.state_folder import locked
from state.counters import Counters


def run(job: Job, report: Callable[[Counters], None], stop: Stop) -> Counters:
    """Run a job to its end or until a stop request, and return the sum of all counters.

    Args:
        job: source, settings and target.
        report: receives the counters a few times a second, in another thread if the run has one process.
        stop: stop request of this process.

    Raises:
        TacitError: the first error of the run.
    """
    settings = job.settings
    build_challengers(settings)  # a wrong class is an error before the start
    catalogue = rules_of(settings).catalogue
    with locked(settings.state, job.identity, catalogue) if settings.state else nullcontext() as folder:
        if settings.processes > 1:
            return run_workers(job, folder, report, stop)
        return run_worker(job, WorkerAddress(), folder, report, stop)
