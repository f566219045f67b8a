"""One process of a run: its parts put together, the engine run, its end made orderly."""

import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic, process_time
from types import FrameType

import structlog
from bytewax.errors import BytewaxRuntimeError
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from connectors.redis_sink import RedisSink
from dataflows.adaptation import build
from dataflows.job import Job
from dataflows.monitor import monitor
from operators.adapt import Adapt
from operators.parse import Parser
from state.counters import Counters
from state.errors import TacitError
from state.store import ShardStore

REPORT_EVERY_S = 0.25

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Which process of a run this is."""

    process: int = 0
    addresses: tuple[str, ...] = ()
    """HOST:PORT of each process for the exchange between them; empty for a single process."""


def run_worker(job: Job, place: Place, recovery: Path | None, report: Callable[[Counters], None]) -> Counters:
    """Run one process until its source ends or SIGTERM or SIGINT asks it to stop; return what it counted.

    `report` is called from another thread a few times a second, and once at the end.

    Raises:
        TacitError: what stopped the run, as the part that met it said it.
    """
    counters = Counters()
    counters.source.progressed_at = monotonic()
    stop = threading.Event()
    _spare_the_collector()
    with _stopped_by_signals(stop), monitor(_address(job, place), counters), _reporting(counters, report):
        _log.info("worker.started", process=place.process, source=job.source_name, recovery=recovery is not None)
        _run_engine(job, place, recovery, counters, stop)
    _log.info("worker.ended", process=place.process, records=counters.source.records, asked_to=stop.is_set())
    return counters


def _run_engine(job: Job, place: Place, recovery: Path | None, counters: Counters, stop: threading.Event) -> None:
    settings = job.settings
    rules = settings.rules()
    parser = Parser(
        catalogue=rules.catalogue,
        region=settings.region,
        secret=settings.secret_bytes,
        shards=settings.shards,
        counters=counters.events,
    )

    def build_adapt(snapshot: bytes | None) -> Adapt:
        store = ShardStore(rules.catalogue, settings.shards)
        if snapshot is not None:
            store.restore(snapshot)
        return Adapt(store, rules, counters.events)

    source = job.make_source(stop, counters.source)
    source.list_parts()  # a source that cannot be read says so in one line here; inside the engine it would panic
    flow = build(
        source,
        parser,
        build_adapt,
        RedisSink(job.target(), counters.sink),
        job.make_reject_sink(),
    )
    try:
        cli_main(
            flow,
            workers_per_process=1,
            process_id=place.process if place.addresses else None,
            addresses=list(place.addresses) or None,
            epoch_interval=timedelta(seconds=settings.epoch),
            recovery_config=RecoveryConfig(recovery) if recovery else None,
        )
    except BytewaxRuntimeError as error:
        raise _cause(error) from error


def _spare_the_collector() -> None:
    """Let Python look for reference cycles rarely: state has none, and each full look would stop the stream.

    What was imported is set aside (`gc.freeze`), and a look comes after 50,000 new containers instead of 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _cause(error: BaseException) -> BaseException:
    """Return the first error of ours behind what the engine wrapped it in, or the innermost one."""
    while error.__cause__ is not None and not isinstance(error, TacitError):
        error = error.__cause__
    return error


def _address(job: Job, place: Place) -> str:
    """Return this process's metrics address: the first one's port, plus the process's number."""
    host, _, port = job.metrics.rpartition(":")
    return f"{host}:{int(port) + place.process}" if host else job.metrics


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the source instead of the process, which Bytewax would not snapshot."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _reporting(counters: Counters, report: Callable[[Counters], None]) -> Iterator[None]:
    ended = threading.Event()
    before_s = process_time()

    def tell() -> None:
        counters.cpu_s = process_time() - before_s
        report(counters)

    def repeat() -> None:
        while not ended.wait(REPORT_EVERY_S):
            tell()

    thread = threading.Thread(target=repeat, name="report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        tell()
