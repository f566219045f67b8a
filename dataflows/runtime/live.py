"""Run for ever: Kafka to Redis, started again after a failure that may pass."""

from time import monotonic

import structlog

from dataflows.job import Job
from dataflows.runtime.run import run
from dataflows.runtime.stopping import Stop, stopped_by_signals
from state.counters import Counters
from state.errors import StateError
from tacit.errors import ConfigurationError, TacitError

QUICK_FAILURE_S = 60.0
MAX_QUICK_FAILURES = 5
_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


def run_live(job: Job) -> Counters:
    """Run until asked to stop; after a failure go on from the last checkpoint.

    Raises:
        TacitError: if the failure is one that will not pass, if nothing is kept to go on from, if the run failed
            `MAX_QUICK_FAILURES` times in a row within `QUICK_FAILURE_S` of its start, or if it was asked to stop
            meanwhile.
    """
    if job.settings.state is None:
        _log.warning("run.keeps_nothing", what_to_do="give --state DIR, or every start reads again from --start")
    job.require_redis()
    with stopped_by_signals() as stop:
        return _run_again_and_again(job, stop)


def _run_again_and_again(job: Job, stop: Stop) -> Counters:
    quick_failures = 0
    while True:
        started = monotonic()
        try:
            return run(job, lambda _: None, stop)
        except (ConfigurationError, StateError):
            raise
        except TacitError as error:
            quick_failures = quick_failures + 1 if monotonic() - started < QUICK_FAILURE_S else 0
            if job.settings.state is None or quick_failures >= MAX_QUICK_FAILURES or stop.asked.is_set():
                raise
            pause_s = _PAUSE_S * (1 + quick_failures)
            _log.error("run.failed", error=str(error), again_in_s=pause_s)
            if stop.asked.wait(pause_s):
                raise
