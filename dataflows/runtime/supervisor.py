"""Supervisor of a run with several processes, which start and stop together."""

import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import NamedTuple, Self

from dataflows.job import Job
from dataflows.observability.logs import configure
from dataflows.observability.watch import Watch
from dataflows.ownership import Hold
from dataflows.runtime.exit_status import describe_end
from dataflows.runtime.parent_death import die_with
from dataflows.runtime.stopping import SIGNALS, Stop, catch_signals, ignore_signals
from dataflows.runtime.worker import EngineError, WorkerAddress, run_worker
from dataflows.state_folder import StateFolder
from state.counters import Counters
from state.temporary import temporary_folder
from tacit.errors import ConfigurationError, TacitError

_SPAWN = get_context("spawn")
"""Start method with a new interpreter for each process: threads of Bytewax do not survive a fork."""

STOP_TOGETHER_S = 10.0
"""Time limit for the end of all processes after the end of the first."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Error of a process, in a form that a pipe transports."""

    kind: type[TacitError]
    problems: tuple[str, ...]

    @classmethod
    def from_error(cls, error: TacitError) -> Self:
        """Return the parts of an error."""
        return cls(type(error), error.problems if isinstance(error, ConfigurationError) else (str(error),))

    def to_error(self) -> TacitError:
        """Return the error."""
        if issubclass(self.kind, ConfigurationError):
            return self.kind(self.problems)
        return self.kind(*self.problems)


@dataclass(slots=True)
class WorkerProcess:
    """Process of the run, with its last counters and its error."""

    process: SpawnProcess
    pipe: Connection
    counters: Counters
    failure: Failure | None = None
    killed_as: str = ""
    """Reason for which the supervisor has killed the process; empty before."""
    ended_s: float = math.inf
    """`monotonic()` of the end of the pipe; infinite while it is open, and for a process that the supervisor ended."""


class Seat(NamedTuple):
    """Place of a host in a cluster."""

    addresses: tuple[str, ...]
    """HOST:PORT of every process of all hosts."""
    first: int
    """Number of the first process of this host."""
    running: Callable[[Callable[[], None], Callable[[], None]], AbstractContextManager[None]]
    """Context with two functions: the first ends the processes after a checkpoint, the second at once."""
    start: str
    """Name of the common start of the hosts."""
    end: Callable[[Counters], Counters]
    """Function of the host's counters at the end of its processes. In a bounded run it waits for all hosts; on the
    first host it then returns the sums over all, and elsewhere the same counters."""

    @property
    def leads(self) -> bool:
        """True for the first host."""
        return self.first == 0


def run_workers(
    job: Job,
    folder: StateFolder | None,
    report: Callable[[Counters], None],
    stop: Stop,
    watch: Watch,
    hold: Hold,
    seat: Seat | None = None,
) -> Counters:
    """Run `settings.processes` processes until all have ended, and return the sum of their counters.

    With a seat, they are processes of a cluster of several hosts.

    A stop request goes to all processes. After the end of the first process, the supervisor waits `STOP_TOGETHER_S`
    and then kills the rest; after an error of a process it kills the rest at once.

    Raises:
        TacitError: the first error that a process reported.
    """
    processes = job.settings.processes
    first, addresses, start = (seat.first, seat.addresses, seat.start) if seat else (0, _free_addresses(processes), "")
    workers: list[WorkerProcess] = []

    def stop_all() -> None:
        for worker in workers:
            worker.process.terminate()

    def kill_all() -> None:
        _kill(workers, "was killed, as a host is lost")

    with stop.notifies(stop_all), ExitStack() as stack:
        run_folder = stack.enter_context(temporary_folder("tacit-run-"))
        with _blocked_signals():
            for number in range(processes):
                address = WorkerAddress(first + number, addresses, run_folder, start)
                counters = watch.counters(number)
                workers.append(stack.enter_context(_started_worker(job, address, folder, counters, hold)))
        if seat:
            stack.enter_context(seat.running(stop_all, kill_all))
        if stop.requested.is_set():  # before `workers` was complete
            stop_all()
        _supervise(workers, report, watch)
    if error := _error(workers):
        raise error
    return Counters.total(worker.counters for worker in workers)


def _error(workers: Sequence[WorkerProcess]) -> TacitError | None:
    """Return the error of a failed run: the cause if a process reported it, otherwise a consequence.

    Of processes that reported none, the first one to end is the cause, unless the supervisor ended it. The code of one
    is None while another thread, at the start of a process, finds its end.
    """
    if cause := _cause(workers):
        return cause.to_error()
    unexplained = [worker for worker in workers if worker.process.exitcode != 0 and not worker.failure]
    if first := min(unexplained, key=lambda worker: worker.ended_s, default=None):
        return TacitError(f"the process {first.process.name} {_describe_end(first)}")
    return next((worker.failure.to_error() for worker in workers if worker.failure), None)


def _cause(workers: Sequence[WorkerProcess]) -> Failure | None:
    failures = (worker.failure for worker in workers if worker.failure)
    return next((failure for failure in failures if failure.kind is not EngineError), None)


def _describe_end(worker: WorkerProcess) -> str:
    return worker.killed_as or describe_end(worker.process.exitcode or 0)


def _supervise(workers: Sequence[WorkerProcess], report: Callable[[Counters], None], watch: Watch) -> None:
    """Receive counters and errors until each process has closed its pipe; kill a process that runs too long.

    If a process fails, Bytewax ends the rest, except during the start: the rest then waits for the failed process.
    """
    running = {id(worker.pipe): worker for worker in workers}
    deadline_s = math.inf
    while running:
        timeout_s = None if math.isinf(deadline_s) else max(0.0, deadline_s - monotonic())
        ready = wait([worker.pipe for worker in running.values()], timeout_s)
        for pipe in ready:
            _receive(running[id(pipe)], running)
        if not ready or _cause(workers):
            _kill(running.values(), f"did not end within {STOP_TOGETHER_S:g} s after the first one, and was killed")
        if len(running) < len(workers):
            deadline_s = min(deadline_s, monotonic() + STOP_TOGETHER_S)
        for number, worker in enumerate(workers):
            watch.update(number, worker.counters, worker.process.pid)
        report(Counters.total(worker.counters for worker in workers))


def _receive(worker: WorkerProcess, running: dict[int, WorkerProcess]) -> None:
    try:
        message = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        del running[id(worker.pipe)]
        worker.ended_s = math.inf if worker.killed_as else monotonic()
        return
    if isinstance(message, Failure):
        worker.failure = message
    else:
        worker.counters = message


def _kill(workers: Iterable[WorkerProcess], killed_as: str) -> None:
    for worker in workers:
        worker.killed_as = worker.killed_as or killed_as
        worker.process.kill()


@contextmanager
def _started_worker(
    job: Job, address: WorkerAddress, folder: StateFolder | None, counters: Counters, hold: Hold
) -> Iterator[WorkerProcess]:
    receiver, sender = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(
        target=_run_worker_process,
        args=(job, address, folder, sender, os.getpid(), counters, hold),
        name=f"tacit-{address.process}",
    )
    process.start()
    sender.close()
    try:
        yield WorkerProcess(process, receiver, counters)
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
        receiver.close()


def _run_worker_process(
    job: Job,
    address: WorkerAddress,
    folder: StateFolder | None,
    pipe: Connection,
    parent: int,
    counters: Counters,
    hold: Hold,
) -> None:
    die_with(parent)
    _close_stdout()
    configure(job.log_level, as_json=job.settings.log_json, file=job.settings.log_file)
    try:
        stop = catch_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # blocked by the supervisor until here
        run_worker(job, address, folder, pipe.send, stop, counters, hold)
    except TacitError as error:
        pipe.send(Failure.from_error(error))
        sys.exit(1)
    finally:
        ignore_signals()
        pipe.close()


def _close_stdout() -> None:
    """Discard stdout: Bytewax writes there while processes wait for each other, and stdout is for results."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _free_addresses(count: int) -> tuple[str, ...]:
    """Return loopback addresses with ports that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block SIGTERM, SIGINT and SIGHUP, here and in the processes that start in the context.

    A process unblocks SIGTERM when its handler is set. The others stay blocked there: a terminal sends Ctrl-C to all
    processes, and the supervisor passes the request on; SIGHUP is for the supervisor alone.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    try:
        # Its start unblocks the other signals, so it must run before. SIGHUP of a terminal would end it.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
