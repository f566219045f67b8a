"""Injection and removal of each fault of several hosts."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random

from dataflows.hosts.cluster import SILENT_S
from tests.chaos.faults import LATE_AT_ONCE, let_pass
from tests.chaos.feed import Feed
from tests.chaos.hosts.rig import HostRig
from tests.chaos.hosts.schedule import HostFault, HostStep
from tests.chaos.late import LateWrites
from tests.chaos.watcher import Watcher
from tests.support.object_proxy import Trouble

CAUSES = {HostFault.BROKER_KILLED: "kafka:", HostFault.REDIS_EMPTIED: "Redis"}
"""Text in the last line of a host that the fault ended; that of a fault of S3 names the URL."""
_TROUBLES = {
    HostFault.S3_SLOW: Trouble.SLOW,
    HostFault.S3_FAILING: Trouble.FAILING,
    HostFault.S3_FULL: Trouble.FULL,
}


class HostFaultInjector:
    """Injects the faults of the schedule into the rig."""

    def __init__(self, rig: HostRig, feed: Feed, watcher: Watcher, late: LateWrites, random: Random) -> None:
        self._rig, self._feed, self._watcher, self._late, self._random = rig, feed, watcher, late, random
        self.kills = 0
        """Number of kills (SIGKILL) of hosts and of their processes."""

    def do(self, step: HostStep) -> None:
        """Inject the fault of one step; afterwards, all hosts have begun to start."""
        self._rig.serve()
        if step.after_cut:
            self._rig.wait_for_cut()
        let_pass(step.after_s)
        match step.fault:
            case HostFault.HOST_LOST:
                self._lose([self._rig.choose(self._random)])
            case HostFault.ALL_LOST:
                self._lose(sorted(self._rig.hosts))
            case HostFault.HOST_KILLED:
                self._kill(self._rig.kill)
            case HostFault.LAUNCHER_KILLED:
                self._kill(self._rig.kill_launcher)
            case HostFault.WORKER_KILLED:
                self._kill(self._rig.kill_worker)
            case HostFault.HOST_PAUSED:
                self._pause(self._rig.choose(self._random))
            case HostFault.RESIZED:
                self._rig.stop(step.hosts)
            case HostFault.WRITES_LATE:
                self._late.send(LATE_AT_ONCE)
            case _:
                self._trouble(step)
        let_pass(step.away_s)
        self._rig.serve()

    def _lose(self, numbers: list[int]) -> None:
        self._rig.lose(*numbers)
        self.kills += len(numbers)

    def _kill(self, kill: Callable[[int], None]) -> None:
        kill(self._rig.choose(self._random))
        self.kills += 1

    def _pause(self, number: int) -> None:
        """Freeze a host for longer than a host may be silent."""
        pid = self._rig.hosts[number].process.pid
        os.killpg(pid, signal.SIGSTOP)
        let_pass(SILENT_S + 1 + 3 * self._random.random())
        os.killpg(pid, signal.SIGCONT)

    def _trouble(self, step: HostStep) -> None:
        self._rig.begin_trouble(CAUSES.get(step.fault, self._rig.url))
        with self._begun(step.fault):
            if step.loses_too:
                let_pass(step.hold_s * self._random.random())
                self._lose([self._rig.choose(self._random)])
                self._rig.serve()
            let_pass(step.hold_s)
        self._rig.end_trouble()

    def _begun(self, fault: HostFault) -> AbstractContextManager[None]:
        rig = self._rig
        match fault:
            case HostFault.BROKER_KILLED:
                return self._broker_killed()
            case HostFault.REDIS_EMPTIED:
                return self._redis_emptied()
            case HostFault.S3_KILLED:
                return _during(rig.storage.kill, rig.storage.serve)
            case HostFault.S3_FROZEN:
                return _during(rig.storage.pause, rig.storage.serve)
        return _during(lambda: rig.proxy.begin(_TROUBLES[fault]), lambda: rig.proxy.begin(Trouble.NONE))

    @contextmanager
    def _broker_killed(self) -> Iterator[None]:
        with self._feed.paused():  # the producer must not fail
            self._rig.broker.kill()
            yield
            self._rig.broker.start()

    @contextmanager
    def _redis_emptied(self) -> Iterator[None]:
        """Empty Redis: the run writes all signals again by itself."""
        self._rig.redis.kill()
        self._watcher.forget_versions()
        yield
        self._rig.redis.start()


@contextmanager
def _during(begin: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    begin()
    try:
        yield
    finally:
        end()
