"""Several processes as one run: started together, stopped together."""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from dataflows.job import Job
from dataflows.logs import configure
from dataflows.parent import die_with
from dataflows.worker import Place, run_worker
from state.counters import Counters
from state.errors import ConfigurationError, TacitError

_SPAWN = get_context("spawn")
"""A fresh interpreter each: the engine's threads do not survive a fork."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a process, in words that travel."""

    problems: tuple[str, ...]
    is_configuration: bool = False

    def error(self) -> TacitError:
        """Return it as an error again."""
        return ConfigurationError(self.problems) if self.is_configuration else TacitError("\n".join(self.problems))


@dataclass(slots=True)
class Member:
    """One process of the cluster, as the launcher sees it."""

    process: SpawnProcess
    pipe: Connection
    counters: Counters
    failure: Failure | None = None

    @property
    def was_stopped(self) -> bool:
        """It was ended by SIGTERM."""
        return self.process.exitcode == -signal.SIGTERM


def run_cluster(job: Job, recovery: Path | None, report: Callable[[Counters], None]) -> Counters:
    """Run `settings.processes` processes until all have ended, and return the sum of what they counted.

    SIGTERM and SIGINT are passed on to all of them. If one fails the engine takes the others down.

    Raises:
        TacitError: what the first process that could say so failed of.
    """
    addresses = _free_addresses(job.settings.processes)
    members: list[Member] = []
    with _passing_on_signals(members) as asked, ExitStack() as stack:
        places = (Place(number, addresses) for number in range(len(addresses)))
        members.extend(stack.enter_context(_member(job, place, recovery)) for place in places)
        if asked:
            _stop(members)
        _follow(members, report)
    if failures := [member.failure for member in members if member.failure]:
        raise failures[0].error()
    # A process that is asked to stop before it listens for that ends by the signal itself, with nothing begun.
    died = [member for member in members if member.process.exitcode and not (asked and member.was_stopped)]
    if died:
        raise TacitError("; ".join(f"{m.process.name} ended with {m.process.exitcode}" for m in died))
    return Counters.total(member.counters for member in members)


def _follow(members: Sequence[Member], report: Callable[[Counters], None]) -> None:
    """Take in what the processes say until each has closed its pipe."""
    speaking = {id(member.pipe): member for member in members}
    while speaking:
        for pipe in wait([member.pipe for member in speaking.values()]):
            _hear(speaking[id(pipe)], speaking)
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


@contextmanager
def _member(job: Job, place: Place, recovery: Path | None) -> Iterator[Member]:
    ours, theirs = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(
        target=_run_member, args=(job, place, recovery, theirs, os.getpid()), name=f"tacit-{place.process}"
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


def _run_member(job: Job, place: Place, recovery: Path | None, pipe: Connection, parent: int) -> None:
    die_with(parent)
    configure(job.log_level)
    try:
        run_worker(job, place, recovery, pipe.send)
    except ConfigurationError as error:
        pipe.send(Failure(error.problems, is_configuration=True))
    except TacitError as error:
        pipe.send(Failure((str(error),)))
    finally:
        pipe.close()


def _free_addresses(count: int) -> tuple[str, ...]:
    """Return loopback addresses that nobody listened on a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)


def _stop(members: Sequence[Member]) -> None:
    for member in members:
        member.process.terminate()


@contextmanager
def _passing_on_signals(members: Sequence[Member]) -> Iterator[list[int]]:
    """Pass SIGTERM and SIGINT on to the members there are, and give the list of those that came."""
    asked: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        _stop(members)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
