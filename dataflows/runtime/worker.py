"""One process of a run: build the dataflow, run Bytewax, and translate its errors."""

import errno
import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import structlog
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import DynamicSink
from bytewax.recovery import (
    InconsistentPartitionsError,
    MissingPartitionsError,
    NoPartitionsError,
    RecoveryConfig,
)
from bytewax.run import cli_main

from connectors.event_log.source import EventLogSource
from connectors.kafka.source import KafkaSource
from connectors.live_source import LiveSource
from connectors.null_sink import NullSink
from connectors.redis.dry_sink import DrySink
from connectors.redis.signal_sink import RedisSink
from connectors.rounds.board import RoundBoard
from connectors.rounds.source import SourceInRounds
from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.fetch import ShardFetch
from dataflows.formats import parser_of
from dataflows.graph import build
from dataflows.handover.seam_file import read_seam
from dataflows.job import Job
from dataflows.observability.tracing.steps import AdaptLogic, Steps, traced_steps
from dataflows.ownership import Hold, Permit
from dataflows.population_run import population_run
from dataflows.recovery_store import source_parts
from dataflows.rules import rules_of
from dataflows.runtime.first_error import FirstError
from dataflows.runtime.pace import PacedSource
from dataflows.runtime.stopping import Stop
from dataflows.settings import Settings
from dataflows.state_folder import StateFolder, is_full
from operators.account import AccountStep, CountedStep, Counts, counted_keyer
from operators.adapt import Adapt
from operators.erasure import ErasureTimes
from operators.seam import SeamParser
from operators.selecting_keyer import make_keyer
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.errors import StateError
from state.events.records import Record
from state.learning.population_version import PopulationWrite
from state.learning.proof_report import ReportWrite
from state.storage.rocksdb import storage_error
from state.storage.shard_stores import ShardStores
from state.user.writes import AnyWrite, Write
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
    run_folder: Path | None = None
    """Folder that the processes of this host share until the end of the run; None for a single process."""
    start: str = ""
    """Name of the common start of several hosts; empty for one host."""


class EngineError(TacitError):
    """Bytewax ended, and no source, step or sink of this process raised an error."""


def run_worker(
    job: Job,
    address: WorkerAddress,
    folder: StateFolder | None,
    report: Callable[[Counters], None],
    stop: Stop,
    counters: Counters,
    hold: Hold,
) -> Counters:
    """Run one process until its source ends or a stop request, and return its counters.

    Args:
        job: source, settings and target.
        address: number and addresses of the process.
        folder: locked state folder; None: the run keeps no state.
        report: receives the counters a few times a second in another thread, and once at the end.
        stop: stop request of this process.
        counters: counters of the process, which continue over restarts.
        hold: hold on the namespace.

    Raises:
        TacitError: the first error of a source, a step or a sink, or the error of Bytewax.
    """
    with _reporting(counters, report):
        collect_garbage_rarely()
        _log.info("worker.started", process=address.process, source=job.source_name, keeps_state=folder is not None)
        _run_engine(job, address, folder, counters, stop.requested, hold)
        counters.stopped = stop.requested.is_set()
    _log.info("worker.stopped", process=address.process, records=counters.source.records, on_request=counters.stopped)
    return counters


def _run_engine(
    job: Job,
    address: WorkerAddress,
    folder: StateFolder | None,
    counters: Counters,
    stop: threading.Event,
    hold: Hold,
) -> None:
    settings = job.settings
    rules = rules_of(settings, folder.vocabulary if folder else None)
    parser = parser_of(settings, rules.catalogue, counters.events, stop)
    seam = read_seam(folder.path) if folder and not job.bounded else None
    source = job.make_source(stop, counters.source)
    if isinstance(source, KafkaSource) and folder is not None:
        source.resume_parts(source_parts(folder.recovery))
    source.list_parts()  # raises an error of the source before any other start
    first_error = FirstError()
    counts = Counts(counters.events) if job.bounded else None
    keep_account = partial(setattr, counters, "account")
    with (
        population_run(job, folder, rules.catalogue, counters, address.run_folder, address.start) as population,
        _stores(settings, rules.catalogue, folder, counters, stop) as stores,
        traced_steps(job.tracing, settings.region, settings.shards, keeps_state=folder is not None) as steps,
    ):
        parse = steps.parse(SeamParser(parser, seam, counters.events) if seam else parser)
        rounds = population.rounds
        keyer = make_keyer(
            parser, settings.shards, counters.events, job.selected, rounds.number if rounds else lambda: 0
        )
        flow = build(
            first_error.watch(_released(source, job, rounds, stop, hold.loss, counters)),
            first_error.watch_call(counted_keyer(keyer, counts) if counts else steps.key(keyer)),
            first_error.watch_build(
                lambda token: _counted(
                    Adapt(
                        stores,
                        rules,
                        counters.events,
                        parse,
                        token,
                        shared=population.shared,
                        enter_round=rounds.enter if rounds else None,
                        reclaims=not job.bounded,
                        erasure=ErasureTimes(
                            round(settings.erase_within * 1000), round(settings.checkpoint_every * 1000)
                        ),
                    ),
                    counts,
                    steps,
                )
            ),
            first_error.watch_build(population.build_train),
            first_error.watch_build(population.build_learn),
            first_error.watch(steps.sink(_signal_sink(job, counters, hold.permit))),
            first_error.watch(NullSink[PopulationWrite | ReportWrite]() if job.is_dry else population.sink),
            first_error.watch(job.make_reject_sink()),
            first_error.watch(job.make_control_reject_sink()),
            first_error.watch_build(lambda packed: AccountStep(packed, keep_account)) if counts else None,
        )
        run_flow(flow, settings.checkpoint_every, address, folder, first_error)
        stores.confirm_end()
    if isinstance(source, KafkaSource):
        source.confirm_end()


def _released(
    source: FixedPartitionedSource[Record, Any],
    job: Job,
    rounds: RoundBoard | None,
    stop: threading.Event,
    loss: Callable[[], int],
    counters: Counters,
) -> FixedPartitionedSource[Any, Any]:
    """Return the source of a live run, or that of a bounded run in rounds and at its pace."""
    if rounds is None:
        assert isinstance(source, KafkaSource | EventLogSource)  # noqa: S101  # a live run reads a topic or a log
        return LiveSource(source, loss, counters.source)
    return SourceInRounds(PacedSource(source, job.pace) if job.pace else source, rounds, stop, counters.source)


def _signal_sink(job: Job, counters: Counters, permit: Permit) -> DynamicSink[Write] | DynamicSink[AnyWrite]:
    if job.is_dry:
        return DrySink(job.target(), counters.sink, counters.foreseen)
    return RedisSink(job.target(), counters.sink, job.make_reject_sink, permit)


def _counted(adapt: Adapt, counts: Counts | None, steps: Steps) -> CountedStep | AdaptLogic:
    return CountedStep(adapt, counts) if counts else steps.adapt(adapt)


def _stores(
    settings: Settings,
    catalogue: NumberedCatalogue,
    folder: StateFolder | None,
    counters: Counters,
    stop: threading.Event,
) -> ShardStores:
    if folder is None:
        return ShardStores(None, settings.shards, catalogue, cached_users=settings.cache)
    counted = settings.cache, counters.checkpoints, monotonic
    if settings.checkpoints is None:
        return ShardStores(folder.shards, settings.shards, catalogue, folder.execution, *counted)
    complete = ShardFetch(open_bucket(settings, stop), folder.path)
    return ShardStores(folder.shards, settings.shards, catalogue, folder.execution, *counted, complete)


def run_flow(
    flow: Dataflow, checkpoint_s: float, address: WorkerAddress, folder: StateFolder | None, first_error: FirstError
) -> None:
    """Run a dataflow to its end.

    Args:
        flow: the dataflow.
        checkpoint_s: seconds between checkpoints.
        address: number and addresses of the process.
        folder: locked state folder; None: the run keeps no state.
        first_error: first error of a source, a step or a sink, which Bytewax may lose.

    Raises:
        TacitError: that error, or the error of Bytewax.
    """
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
    if folder and is_full(folder.path):  # the error of the store is lost on its way between threads
        return storage_error(f"{folder.path}", os.strerror(errno.ENOSPC))
    return EngineError(f"Bytewax ended with an error: {text}")


def collect_garbage_rarely() -> None:
    """Make Python search for reference cycles rarely: the stream makes none, and each search stops the stream.

    `gc.freeze` exempts the imported modules. A search starts after 500,000 more containers, where the default is 700.
    A full cache does not grow, so 500,000 more containers would be a leak.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)


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
