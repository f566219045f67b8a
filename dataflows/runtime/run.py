"""A run from lock to sum: the state folder held, one process or several."""

from collections.abc import Callable
from contextlib import nullcontext

from dataflows.job import Job
from dataflows.runtime.stopping import Stop
from dataflows.runtime.supervisor import run_cluster
from dataflows.runtime.worker import WorkerAddress, run_worker
from dataflows.state_folder import locked
from state.counters import Counters


def run(job: Job, report: Callable[[Counters], None], stop: Stop) -> Counters:
    """Run a job once, or until asked to stop, and return what it counted.

    `report` hears of it a few times a second, from another thread.

    Raises:
        TacitError: what stopped it.
    """
    settings = job.settings
    catalogue = settings.rules().catalogue
    with locked(settings.state, job.identity, catalogue) if settings.state else nullcontext() as folder:
        if settings.processes > 1:
            return run_cluster(job, folder, report, stop)
        return run_worker(job, WorkerAddress(), folder, report, stop)
