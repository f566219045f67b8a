"""One process of a run: its parts put together, the engine run, its end made orderly."""

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
from dataflows.runtime.first_error import FirstError
from dataflows.runtime.stopping import Stop
from dataflows.settings import Settings
from dataflows.state_folder import StateFolder
from operators.adapt import Adapt
from operators.decoders import decoder
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
    """Which process of a run this is."""

    process: int = 0
    addresses: tuple[str, ...] = ("127.0.0.1:0",)
    """HOST:PORT of each process for the exchange between them; a single one listens nowhere."""


class BrokenOffError(TacitError):
    """The engine broke off, and no part of this process is to blame."""


def run_worker(
    job: Job, place: WorkerAddress, folder: StateFolder | None, report: Callable[[Counters], None], stop: Stop
) -> Counters:
    """Run one process until its source ends or it is asked to stop; return what it counted.

    `report` is called from another thread a few times a second, and once at the end.

    Raises:
        TacitError: what stopped the run, as the part that met it said it.
    """
    counters = Counters()
    counters.source.progressed_at = monotonic()
    with monitor(_address(job, place), counters), _reporting(counters, report):
        spare_the_collector()
        _log.info("worker.started", process=place.process, source=job.source_name, keeps_state=folder is not None)
        _run_engine(job, place, folder, counters, stop.asked)
        counters.stopped = stop.asked.is_set()
    _log.info("worker.ended", process=place.process, records=counters.source.records, asked_to=counters.stopped)
    return counters


def _run_engine(
    job: Job, place: WorkerAddress, folder: StateFolder | None, counters: Counters, stop: threading.Event
) -> None:
    settings = job.settings
    rules = settings.rules(folder.vocabulary if folder else None)
    parser = Parser(
        catalogue=rules.catalogue,
        region=settings.region,
        secret=settings.secret_bytes,
        shards=settings.shards,
        counters=counters.events,
        decode=decoder(settings.format),
    )
    source = job.make_source(stop, counters.source)
    source.list_parts()  # a source that cannot be read is found out before anything else is begun
    parts = FirstError()
    with (
        population_run(job, folder, rules.catalogue, counters) as population,
        _stores(settings, rules.catalogue, folder) as stores,
    ):
        flow = build(
            parts.watch(source),
            parts.watch_call(parser),
            parts.watch_build(
                lambda token: Adapt(
                    stores, rules, counters.events, token, shared=population.shared, reclaims=not job.bounded
                )
            ),
            parts.watch_build(population.build_learn),
            parts.watch(RedisSink(job.target(), counters.sink, job.make_reject_sink)),
            parts.watch(population.sink),
            parts.watch(job.make_reject_sink()),
        )
        _run_flow(flow, settings.checkpoint_every, place, folder, parts)
        stores.confirm_commit()


def _stores(settings: Settings, catalogue: NumberedCatalogue, folder: StateFolder | None) -> ShardStores:
    if folder is None:
        return ShardStores(None, settings.shards, catalogue, cached_users=settings.cache)
    return ShardStores(folder.shards, settings.shards, catalogue, folder.execution, settings.cache)


def _run_flow(
    flow: Dataflow, epoch_s: float, place: WorkerAddress, folder: StateFolder | None, parts: FirstError
) -> None:
    try:
        # With addresses, be it one, the engine ends by an exception; without, it also prints a panic of its own.
        cli_main(
            flow,
            workers_per_process=1,
            process_id=place.process,
            addresses=list(place.addresses),
            epoch_interval=timedelta(seconds=epoch_s),
            recovery_config=RecoveryConfig(folder.recovery) if folder else None,
        )
    except BaseException as broken:  # a panic of the engine is no Exception
        if isinstance(broken, _NO_FAILURE):
            raise
        raise parts.error or _engines_own(broken, folder) from broken


def _engines_own(broken: BaseException, folder: StateFolder | None) -> TacitError:
    """Return what the engine itself failed of, as an error of ours."""
    text = " ".join(str(broken).split())
    if folder and (isinstance(broken, _BAD_STORE) or any(code in text for code in _BAD_SQLITE)):
        return StateError(
            f"{folder.recovery} is damaged: {text}; restore the whole state folder from a backup, or give another"
        )
    if folder and any(code in text for code in _FULL_DISK):
        return storage_error(f"{folder.recovery}", text)
    return BrokenOffError(f"the engine broke off: {text}")


def spare_the_collector() -> None:
    """Let Python look for reference cycles rarely: the stream makes none, and each look at live people would stop it.

    What was imported is set aside (`gc.freeze`). A look comes when there are 500,000 containers more than at the last
    one, where Python has 700: a full cache grows no more, so that would be something that leaks.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)


def _address(job: Job, place: WorkerAddress) -> str:
    """Return this process's metrics address: the first one's port, plus the process's number."""
    host, _, port = job.metrics.rpartition(":")
    return f"{host}:{int(port) + place.process}" if host else job.metrics


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
