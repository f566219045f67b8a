"""One process of a run: build the dataflow, run Bytewax, and translate its errors."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, process_time

import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import (
    InconsistentPartitionsError,
    MissingPartitionsError,
    NoPartitionsError,
    RecoveryConfig,
)
from bytewax.run import cli_main

from connectors.redis.signal_sink import RedisSink
from dataflows.graph import build
from dataflows.job import Job
from dataflows.observability.http import monitor
from dataflows.population_run import population_run
from dataflows.rules import rules_of
from dataflows.runtime.first_error import FirstError
from dataflows.runtime.stopping import Stop
from dataflows.settings import Settings
from dataflows.state_folder import StateFolder
from operators.adapt import Adapt
from operators.decoders import input_format
from operators.erasure import ErasureTimes
from operators.key import Keyer
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.errors import StateError
from state.storage.rocksdb import storage_error
from state.storage.shard_stores import ShardStores
from tacit.errors import TacitError

REPORT_EVERY_S = 0.25

_NO_FAILURE = (KeyboardInterrupt, SystemExit)
_BAD_STORE = (InconsistentPartitionsError, MissingPartitionsError, NoPartitionsError)
_BAD_SQLITE = ("DatabaseCorrupt", "NotADatabase")
_FULL_DISK = ("DiskFull", "SystemIoFailure")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerAddress:
    """Number of a process in a run, and the addresses of all processes."""

    process: int = 0
    addresses: tuple[str, ...] = ("127.0.0.1:0",)
    """HOST:PORT of each process for the exchange between processes; a single process does not listen."""


class EngineError(TacitError):
    """Bytewax ended, and no source, step or sink of this process raised an error."""


def run_worker(
    job: Job, address: WorkerAddress, folder: StateFolder | None, report: Callable[[Counters], None], stop: Stop
) -> Counters:
    """Run one process until its source ends or a stop request, and return its counters.

    Args:
        job: source, settings and target.
        address: number and addresses of the process.
        folder: locked state folder; None: the run keeps no state.
        report: receives the counters a few times a second in another thread, and once at the end.
        stop: stop request of this process.

    Raises:
        TacitError: the first error of a source, a step or a sink, or the error of Bytewax.
    """
    counters = Counters()
    counters.source.progressed_at = monotonic()
    with monitor(_metrics_address(job, address), counters), _reporting(counters, report):
        collect_garbage_rarely()
        _log.info("worker.started", process=address.process, source=job.source_name, keeps_state=folder is not None)
        _run_engine(job, address, folder, counters, stop.requested)
        counters.stopped = stop.requested.is_set()
    _log.info("worker.stopped", process=address.process, records=counters.source.records, on_request=counters.stopped)
    return counters


def _run_engine(
    job: Job, address: WorkerAddress, folder: StateFolder | None, counters: Counters, stop: threading.Event
) -> None:
    settings = job.settings
    rules = rules_of(settings, folder.vocabulary if folder else None)
    parser = Parser(
        catalogue=rules.catalogue,
        region=settings.region,
        secret=settings.secret_bytes,
        shards=settings.shards,
        counters=counters.events,
        input_format=input_format(settings.format),
    )
    keyer = Keyer(parser, settings.shards, counters.events)
    source = job.make_source(stop, counters.source)
    source.list_parts()  # raises an error of the source before any other start
    first_error = FirstError()
    with (
        population_run(job, folder, rules.catalogue, counters) as population,
        _stores(settings, rules.catalogue, folder) as stores,
    ):
        flow = build(
            first_error.watch(source),
            first_error.watch_call(keyer),
            first_error.watch_build(
                lambda token: Adapt(
                    stores,
                    rules,
                    counters.events,
                    parser,
                    token,
                    shared=population.shared,
                    reclaims=not job.bounded,
                    erasure=ErasureTimes(round(settings.erase_within * 1000), round(settings.checkpoint_every * 1000)),
                )
            ),
            first_error.watch_build(population.build_learn),
            first_error.watch(RedisSink(job.target(), counters.sink, job.make_reject_sink)),
            first_error.watch(population.sink),
            first_error.watch(job.make_reject_sink()),
            first_error.watch(job.make_control_reject_sink()),
        )
        _run_flow(flow, settings.checkpoint_every, address, folder, first_error)
        stores.confirm_end()


def _stores(settings: Settings, catalogue: NumberedCatalogue, folder: StateFolder | None) -> ShardStores:
    if folder is None:
        return ShardStores(None, settings.shards, catalogue, cached_users=settings.cache)
    return ShardStores(folder.shards, settings.shards, catalogue, folder.execution, settings.cache)


def _run_flow(
    flow: Dataflow, checkpoint_s: float, address: WorkerAddress, folder: StateFolder | None, first_error: FirstError
) -> None:
    try:
        # With addresses, even a single one, Bytewax raises an exception; without, it also prints a panic.
        cli_main(
            flow,
            workers_per_process=1,
            process_id=address.process,
            addresses=list(address.addresses),
            epoch_interval=timedelta(seconds=checkpoint_s),
            recovery_config=RecoveryConfig(folder.recovery) if folder else None,
        )
    except BaseException as cause:  # a panic of Bytewax is not an Exception
        if isinstance(cause, _NO_FAILURE):
            raise
        raise first_error.error or _engine_error(cause, folder) from cause


def _engine_error(cause: BaseException, folder: StateFolder | None) -> TacitError:
    """Return an error of Bytewax as an error of Tacit."""
    text = " ".join(str(cause).split())
    if folder and (isinstance(cause, _BAD_STORE) or any(code in text for code in _BAD_SQLITE)):
        return StateError(
            f"{folder.recovery} is damaged: {text}; restore the whole state folder from a backup, or give another"
        )
    if folder and any(code in text for code in _FULL_DISK):
        return storage_error(f"{folder.recovery}", text)
    return EngineError(f"Bytewax ended with an error: {text}")


def collect_garbage_rarely() -> None:
    """Make Python search for reference cycles rarely: the stream makes none, and each search stops the stream.

    `gc.freeze` exempts the imported modules. A search starts after 500,000 more containers, where the default is 700.
    A full cache does not grow, so 500,000 more containers would be a leak.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)


def _metrics_address(job: Job, address: WorkerAddress) -> str:
    """Return the metrics address of a process: the port of the settings plus the number of the process."""
    host, _, port = job.metrics.rpartition(":")
    return f"{host}:{int(port) + address.process}" if host else job.metrics


@contextmanager
def _reporting(counters: Counters, report: Callable[[Counters], None]) -> Iterator[None]:
    ended = threading.Event()
    before_s = process_time()

    def update() -> None:
        counters.cpu_s = process_time() - before_s
        report(counters)

    def repeat() -> None:
        while not ended.wait(REPORT_EVERY_S):
            update()

    thread = threading.Thread(target=repeat, name="report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        update()
