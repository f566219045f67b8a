"""Continuous run from Kafka to Redis, with a restart after a temporary failure."""

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
    """Run until a stop request; after a temporary failure, resume from the last checkpoint.

    Raises:
        TacitError: the failure is permanent (a configuration or a state folder), the run has no state folder, the run
            failed `MAX_QUICK_FAILURES` times in a row within `QUICK_FAILURE_S` of its start, or a stop request came
            before the restart.
    """
    if job.settings.state is None:
        _log.warning("state.not_kept", advice="use --state DIR; without a state folder, each start reads from --start")
    job.require_redis()
    with stopped_by_signals() as stop:
        return _run_with_restarts(job, stop)


def _run_with_restarts(job: Job, stop: Stop) -> Counters:
    quick_failures = 0
    while True:
        started = monotonic()
        try:
            return run(job, lambda _: None, stop)
        except (ConfigurationError, StateError):
            raise
        except TacitError as error:
            quick_failures = quick_failures + 1 if monotonic() - started < QUICK_FAILURE_S else 0
            if job.settings.state is None or quick_failures >= MAX_QUICK_FAILURES or stop.requested.is_set():
                raise
            pause_s = _PAUSE_S * (1 + quick_failures)
            _log.error("run.failed", error=str(error), restart_in_s=pause_s)
            if stop.requested.wait(pause_s):
                raise
