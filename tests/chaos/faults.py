"""Injection and removal of each fault."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from random import Random
from threading import Event
from time import monotonic

from tests.chaos.feed import Feed
from tests.chaos.late import LateWrites
from tests.chaos.rig import Rig
from tests.chaos.schedule import Fault, Step
from tests.chaos.watcher import Watcher
from tests.support.conditions import eventually

CAUSES = {
    Fault.BROKER_KILLED: "kafka:",
    Fault.REDIS_EMPTIED: "Redis",
    Fault.REDIS_FULL: "Redis",
    Fault.REDIS_FROZEN: "Redis",
    Fault.DISK_FULL: "room",
}
"""Text in the last line of a run that the fault ended."""
LATE_AT_ONCE = 2_000
NOTICED_S = 30
"""Time limit for a run to notice a fault."""
_REDIS_TIMEOUT_S = 5
"""Redis timeout of the processes of a cluster."""
_CHECKPOINTS_S = 60


def let_pass(seconds: float) -> None:
    """Wait for the moment that the schedule sets."""
    Event().wait(seconds)


class FaultInjector:
    """Injects the faults of the schedule into the rig."""

    def __init__(self, rig: Rig, feed: Feed, watcher: Watcher, late: LateWrites, random: Random) -> None:
        self._rig, self._feed, self._watcher, self._late, self._random = rig, feed, watcher, late, random
        self.kills = 0
        """Number of kills (SIGKILL)."""
        self._troubles: dict[Fault, Callable[[Step], AbstractContextManager[None]]] = {
            Fault.BROKER_KILLED: self._broker_killed,
            Fault.REDIS_EMPTIED: self._redis_emptied,
            Fault.REDIS_FULL: self._redis_full,
            Fault.REDIS_FROZEN: self._redis_frozen,
            Fault.WORKER_FROZEN: self._worker_frozen,
            Fault.DISK_FULL: self._disk_full,
        }

    def do(self, step: Step) -> None:
        """Inject the fault of one step; the run may have ended afterwards."""
        self._rig.running(step.processes)
        if step.begins_at_work:
            self._rig.wait_for_workers()
        let_pass(step.after_s)
        match step.fault:
            case Fault.KILL_ALL:
                self._kill(self._rig.kill_all)
            case Fault.KILL_LAUNCHER:
                self._kill(self._rig.kill_launcher)
            case Fault.KILL_WORKER:
                self._kill(lambda: self._rig.kill_worker(self._random))
            case Fault.RESCALE:
                self._rig.stop()
                self._rig.start(step.processes)
            case Fault.WRITES_LATE:
                self._late.send(LATE_AT_ONCE)
            case _:
                self._trouble(step)

    def _kill(self, kill: Callable[[], None]) -> None:
        kill()
        self.kills += 1

    def _trouble(self, step: Step) -> None:
        self._rig.begin_trouble(CAUSES.get(step.fault, "nothing"))
        try:
            with self._troubles[step.fault](step):
                if step.kills_too:
                    let_pass(step.hold_s * self._random.random())
                    self._kill(self._rig.kill_all)
                    self._rig.start(step.processes)
                let_pass(step.hold_s)
        finally:
            self._rig.end_trouble()
        if step.fault is Fault.REDIS_EMPTIED:
            self._rebuild(step)

    @contextmanager
    def _broker_killed(self, _step: Step) -> Iterator[None]:
        with self._feed.paused():  # the producer must not fail
            self._rig.broker.kill()
            yield
            self._rig.broker.start()

    @contextmanager
    def _redis_emptied(self, _step: Step) -> Iterator[None]:
        self._rig.redis.kill()
        self._watcher.forget_versions()
        yield
        self._rig.redis.start()

    @contextmanager
    def _redis_full(self, _step: Step) -> Iterator[None]:
        client = self._rig.redis.client
        client.config_set("maxmemory", 1)
        yield
        self._wait_for_log("redis.failed")
        client.config_set("maxmemory", 0)

    @contextmanager
    def _redis_frozen(self, step: Step) -> Iterator[None]:
        self._rig.redis.pause()
        try:
            yield
            if step.processes > 1:
                let_pass(_REDIS_TIMEOUT_S)
        finally:
            self._rig.redis.resume()

    @contextmanager
    def _worker_frozen(self, _step: Step) -> Iterator[None]:
        pid = self._random.choice(self._rig.workers())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        yield
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def _disk_full(self, _step: Step) -> Iterator[None]:
        rig = self._rig
        rig.disk.fill(rig.pids())
        try:
            yield
            failures = rig.logged("run.failed")

            def is_noticed() -> bool:
                rig.disk.fill(rig.pids())
                return rig.run is None or rig.run.process.poll() is not None or rig.logged("run.failed") > failures

            eventually(is_noticed, within_s=NOTICED_S, what="an error by the full disk")
        finally:
            rig.disk.free(rig.pids())

    def _wait_for_log(self, event: str) -> None:
        """Return when the run has logged an event, or has ended."""
        rig = self._rig

        def is_noticed() -> bool:
            return rig.logged(event) > 0 or rig.run is None or rig.run.process.poll() is not None

        eventually(is_noticed, within_s=NOTICED_S, what=f"{event} in the log")

    def _rebuild(self, step: Step) -> None:
        """Rebuild Redis once a checkpoint holds all signals that were emitted before Redis was emptied."""
        before, deadline_s = self._rig.newest_checkpoint(), monotonic() + _CHECKPOINTS_S
        while self._rig.newest_checkpoint() < before + 2:
            assert monotonic() < deadline_s, "no further checkpoints"
            self._rig.running(step.processes)
            let_pass(0.1)
        self._rig.rebuild()
