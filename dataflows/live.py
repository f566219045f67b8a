"""Run for ever: Kafka to Redis, started again after a failure that may pass."""

from time import monotonic, sleep

import structlog

from dataflows.job import Job
from dataflows.run import run
from state.counters import Counters
from state.errors import ConfigurationError, StateError, TacitError

QUICK_FAILURE_S = 60.0
MOST_QUICK_FAILURES = 5
_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


def run_live(job: Job) -> Counters:
    """Run until asked to stop; after a failure go on from the last checkpoint.

    Raises:
        TacitError: if the failure is one that will not pass, if nothing is kept to go on from, or if the run failed
            `MOST_QUICK_FAILURES` times in a row within `QUICK_FAILURE_S` of its start.
    """
    if job.settings.state is None:
        _log.warning("run.keeps_nothing", what_to_do="give --state DIR, or every start reads again from --start")
    job.require_redis()
    quick_failures = 0
    while True:
        started = monotonic()
        try:
            return run(job, lambda _: None)
        except (ConfigurationError, StateError):
            raise
        except TacitError as error:
            quick_failures = quick_failures + 1 if monotonic() - started < QUICK_FAILURE_S else 0
            if job.settings.state is None or quick_failures >= MOST_QUICK_FAILURES:
                raise
            pause_s = _PAUSE_S * (1 + quick_failures)
            _log.error("run.failed", error=str(error), again_in_s=pause_s)
            sleep(pause_s)
