"""Start of a live run: wait for Redis, Kafka and object storage as long as `--start-within` allows."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from math import inf
from threading import Thread
from time import monotonic

import structlog

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import look_up
from connectors.redis.health import unanswered
from dataflows.cuts.bucket import open_bucket
from dataflows.job import Job
from dataflows.observability.watch import STARTING, Watch
from dataflows.runtime.stopping import Stop
from dataflows.settings import Settings
from state.errors import ObjectRefusedError, ObjectStoreError, UnreachableError
from tacit.errors import TacitError

_TRY_EVERY_S = 1.0
_STOP_WITHIN_S = 0.1
"""Time after which the wait for an answer looks for a stop request."""
_LOG_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


def await_services(job: Job, stop: Stop, watch: Watch) -> None:
    """Return once all services answer, or after `--start-within`: the start then fails with the cause.

    An error that waiting does not change, such as a wrong password, ends the wait, and so does a stop request. The
    watch shows the service and its problem.

    Raises:
        SinkError: Redis does not answer, or is not configured for writers.
    """
    wait_s = inf if job.settings.start_within is None else job.settings.start_within
    until_s = monotonic() + wait_s
    if wait_s:
        watch.fail(STARTING, "waits for Redis")
        _await("redis", lambda: unanswered(job.settings.redis), until_s, stop, watch)
    if stop.requested.is_set():
        return
    job.require_redis()
    if wait_s and isinstance(job.source, TopicAddress):
        address = job.source
        watch.fail(STARTING, f"waits for Kafka: {address}")
        _await("kafka", lambda: _unreachable(address), until_s, stop, watch)
    if wait_s and job.settings.checkpoints:
        watch.fail(STARTING, "waits for object storage")
        _await("object storage", lambda: _unavailable(job.settings), until_s, stop, watch)
    watch.fail(STARTING)


def _await(service: str, look: Callable[[], str | None], until_s: float, stop: Stop, watch: Watch) -> None:
    logged_s = -inf
    while (problem := _answer(look, stop)) and monotonic() < until_s:
        watch.fail(STARTING, f"waits for {service.capitalize()}: {problem}")
        if monotonic() - logged_s >= _LOG_EVERY_S:
            left_s = until_s - monotonic()
            _log.warning("start.waiting", service=service, problem=problem, at_most_s=_rounded(left_s))
            logged_s = monotonic()
        if stop.requested.wait(_TRY_EVERY_S):
            return


def _answer(look: Callable[[], str | None], stop: Stop) -> str | None:
    """Return the problem that a look finds; None also after a stop request, which does not wait for the look.

    A look at Kafka lasts for some seconds and cannot be interrupted, so it runs in a thread that may outlive the wait.
    """
    answer: Future[str | None] = Future()

    def find() -> None:
        try:
            answer.set_result(look())
        except BaseException as error:  # the caller raises it
            answer.set_exception(error)

    Thread(target=find, name="look", daemon=True).start()
    while not stop.requested.is_set():
        if wait([answer], _STOP_WITHIN_S).done:
            return answer.result()
    return None


def _rounded(left_s: float) -> int | None:
    return None if left_s == inf else round(left_s)


def _unreachable(address: TopicAddress) -> str | None:
    try:
        look_up(address, Start("earliest"))
    except UnreachableError as error:
        return str(error)
    except TacitError:
        return None  # the start reports it
    return None


def _unavailable(settings: Settings) -> str | None:
    try:
        open_bucket(settings).newest()
    except ObjectRefusedError:
        return None  # the start reports it
    except ObjectStoreError as error:
        return str(error)
    except TacitError:
        return None
    return None
