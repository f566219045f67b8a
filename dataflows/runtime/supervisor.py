"""Several processes as one run: started together, stopped together."""

import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Self

from dataflows.job import Job
from dataflows.observability.logs import configure
from dataflows.runtime.parent_death import die_with
from dataflows.runtime.stopping import SIGNALS, Stop, stopped_by_signals
from dataflows.runtime.worker import BrokenOffError, WorkerAddress, run_worker
from dataflows.state_folder import StateFolder
from state.counters import Counters
from tacit.errors import ConfigurationError, TacitError

_SPAWN = get_context("spawn")
"""A fresh interpreter each: the engine's threads do not survive a fork."""

END_TOGETHER_S = 10.0
"""How long the processes of a run may end after the first of them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a process, in words that travel."""

    kind: type[TacitError]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, error: TacitError) -> Self:
        """Take an error apart."""
        return cls(type(error), error.problems if isinstance(error, ConfigurationError) else (str(error),))

    def error(self) -> TacitError:
        """Return it as an error again."""
        if issubclass(self.kind, ConfigurationError):
            return self.kind(self.problems)
        return self.kind(*self.problems)


@dataclass(slots=True)
class Member:
    """One process of the cluster, as the launcher sees it."""

    process: SpawnProcess
    pipe: Connection
    counters: Counters
    failure: Failure | None = None


def run_cluster(job: Job, folder: StateFolder | None, report: Callable[[Counters], None], stop: Stop) -> Counters:
    """Run `settings.processes` processes until all have ended, and return the sum of what they counted.

    Being asked to stop is passed on to all of them. Once one has ended the others have `END_TOGETHER_S` to do so too,
    and no time if it said what it failed of.

    Raises:
        TacitError: what the first process that could say so failed of.
    """
    addresses = _free_addresses(job.settings.processes)
    members: list[Member] = []

    def pass_on() -> None:
        for member in members:
            member.process.terminate()

    with stop.heard_by(pass_on), ExitStack() as stack:
        with _no_signals():
            places = (WorkerAddress(number, addresses) for number in range(len(addresses)))
            members.extend(stack.enter_context(_member(job, place, folder)) for place in places)
        if stop.asked.is_set():  # before there was anybody to pass it on to
            pass_on()
        _follow(members, report)
    if error := _error(members):
        raise error
    return Counters.total(member.counters for member in members)


def _error(members: Sequence[Member]) -> TacitError | None:
    """Return what ended the run, if it failed: the cause itself before what merely followed from it."""
    if cause := _cause(members):
        return cause.error()
    silent = [member.process for member in members if member.process.exitcode and not member.failure]
    if silent:
        return TacitError("; ".join(f"the process {process.name} {_end(process)}" for process in silent))
    return next((member.failure.error() for member in members if member.failure), None)


def _cause(members: Sequence[Member]) -> Failure | None:
    failures = (member.failure for member in members if member.failure)
    return next((failure for failure in failures if failure.kind is not BrokenOffError), None)


def _end(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _follow(members: Sequence[Member], report: Callable[[Counters], None]) -> None:
    """Take in what the processes say until each has closed its pipe; one that outlives the others is killed.

    The engine takes the others down with one that fails, but not while they still wait for it to come up.
    """
    speaking = {id(member.pipe): member for member in members}
    deadline_s = math.inf
    while speaking:
        timeout_s = None if math.isinf(deadline_s) else max(0.0, deadline_s - monotonic())
        heard = wait([member.pipe for member in speaking.values()], timeout_s)
        for pipe in heard:
            _hear(speaking[id(pipe)], speaking)
        if not heard or _cause(members):
            _kill(speaking.values())
        if len(speaking) < len(members):
            deadline_s = min(deadline_s, monotonic() + END_TOGETHER_S)
        report(Counters.total(member.counters for member in members))


def _hear(member: Member, speaking: dict[int, Member]) -> None:
    try:
        said = member.pipe.recv()
    except (EOFError, ConnectionResetError):
        del speaking[id(member.pipe)]
        return
    if isinstance(said, Failure):
        member.failure = said
    else:
        member.counters = said


def _kill(members: Iterable[Member]) -> None:
    for member in members:
        member.process.kill()


@contextmanager
def _member(job: Job, place: WorkerAddress, folder: StateFolder | None) -> Iterator[Member]:
    ours, theirs = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(
        target=_run_member, args=(job, place, folder, theirs, os.getpid()), name=f"tacit-{place.process}"
    )
    process.start()
    theirs.close()
    try:
        yield Member(process, ours, Counters())
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
        ours.close()


def _run_member(job: Job, place: WorkerAddress, folder: StateFolder | None, pipe: Connection, parent: int) -> None:
    die_with(parent)
    _close_stdout()
    configure(job.log_level)
    try:
        with stopped_by_signals() as stop:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # held back by the launcher until here
            run_worker(job, place, folder, pipe.send, stop)
    except TacitError as error:
        pipe.send(Failure.of(error))
        sys.exit(1)
    finally:
        pipe.close()


def _close_stdout() -> None:
    """Leave stdout to results: while processes wait for each other, the engine says so there."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _free_addresses(count: int) -> tuple[str, ...]:
    """Return loopback addresses that nobody listened on a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)


@contextmanager
def _no_signals() -> Iterator[None]:
    """Hold SIGTERM and SIGINT back, here and in the processes that are started meanwhile.

    Those let SIGTERM through when they are ready for it. SIGINT they never see: a terminal sends Ctrl-C to all, and
    theirs comes from us.
    """
    resource_tracker.ensure_running()  # when it starts it lets these signals through, so it has to run by now
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
