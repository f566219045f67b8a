"""Target of the faults: real processes between a real broker and a real Redis, with a state folder on a disk."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.chaos.disk import Disk
from tests.chaos.redis_contents import NAMESPACE
from tests.chaos.stream import PARTITIONS
from tests.support.commands import Limits, Running, tacit
from tests.support.conditions import eventually
from tests.support.kafka_broker import Broker
from tests.support.redis_faults import FragileRedis

LIMITS: Limits = {
    "connectors.kafka.watcher.LOOK_EVERY_S": 0.5,
    "connectors.redis.client.TIMEOUT_S": 0.5,
    "connectors.redis.client.RETRY_FOR_S": 3,
    "dataflows.runtime.live.MAX_QUICK_FAILURES": 10_000,
    "dataflows.runtime.live._PAUSE_S": 0.05,
}
"""Short limits. Processes of a cluster import their modules again and keep the product's limits for Redis."""

_GONE_S = 20


class Rig:
    """Broker, Redis, disk and the current run."""

    def __init__(self, broker: Broker, server: FragileRedis, disk: Disk, folder: Path) -> None:
        self.broker, self.redis, self.disk = broker, server, disk
        self.topic = broker.create_topic(PARTITIONS)
        self.state = disk.folder / "state"
        self.rejects = folder / "rejects.jsonl"
        self.processes = 1
        self.run: Running | None = None
        self.ended_by_itself = 0
        self.starts = 0
        self._trouble: str | None = None
        self._may_end_of: set[str] = set()
        self._failures_due = 0
        """Failures that the current run logs because of the kills so far."""
        self._folder = folder

    # Run

    def start(self, processes: int) -> Running:
        """Start a run with a new log."""
        self.starts += 1
        self.processes = processes
        self._failures_due = 0
        self._may_end_of = {self._trouble} if self._trouble else set()
        arguments = ["run", f"kafka://{self.broker.servers}/{self.topic}", "--redis", self.redis.url]
        arguments += ["--namespace", NAMESPACE, "--state", str(self.state), "--rejects", str(self.rejects)]
        arguments += [
            "--checkpoint-every",
            "1",
            "--erase-within",
            "5",
            "--metrics",
            "off",
            "--processes",
            str(processes),
        ]
        self.run = Running(arguments, self._folder / f"run-{self.starts:04d}.log", LIMITS)
        return self.run

    def running(self, processes: int) -> Running:
        """Return the current run; start one with `processes` processes if there is none."""
        if self.run is not None and self.run.process.poll() is not None:
            self._require_clear_end(self.run)
            self.run = None
        return self.run or self.start(processes)

    def begin_trouble(self, cause: str) -> None:
        """Allow runs to end with an error that contains `cause`, until the next start after `end_trouble`."""
        self._trouble = cause
        self._may_end_of.add(cause)

    def end_trouble(self) -> None:
        """Note that the fault is removed."""
        self._trouble = None

    def wait_for_workers(self) -> None:
        """Return when all processes of the run have started, or when the run has ended and may end."""
        run = self.running(self.processes)

        def have_started() -> bool:
            if self._may_end_of and run.process.poll() is not None:
                return True
            since_failure = run.output.rpartition('"run.failed"')[2]
            is_again = self.logged("run.failed") >= self._failures_due
            return is_again and since_failure.count('"worker.started"') >= self.processes

        run.wait_for(have_started, f"{self.processes} workers to start")

    def stop(self) -> None:
        """Send SIGTERM to the run, and require status 0; before its workers start, SIGTERM kills the run."""
        if self.run is None:
            return
        run = self.run
        if run.process.poll() is not None:
            self._require_clear_end(run)
            self.run = None
            return
        pids = self.pids()
        self.run = None
        status = run.stop()
        has_begun = '"worker.started"' in run.output
        is_well = status == 0 or self._may_end_of or (status == -signal.SIGTERM and not has_begun)
        assert is_well, f"status {status} after SIGTERM: {run.output[-3000:]}"
        self._wait_until_gone(pids)

    def kill_all(self) -> None:
        """Kill the launcher and its processes at once."""
        if self.run is not None:
            pids = self.pids()
            self.run.kill()
            self._wait_until_gone(pids)
            self.run = None

    def kill_launcher(self) -> None:
        """Kill the launcher, and require that its processes end, too."""
        if self.run is not None:
            pids = self.pids()
            self.run.process.kill()
            self.run.process.wait(_GONE_S)
            self._wait_until_gone(pids)
            self.run = None

    def pids(self) -> list[int]:
        """Return the processes of the run, the launcher first."""
        return [] if self.run is None else [self.run.process.pid, *self.workers()]

    def workers(self) -> list[int]:
        """Return the workers; a single worker has no launcher."""
        if self.run is None:
            return []
        pid = self.run.process.pid
        return [child for child in _children(pid) if b"spawn_main" in _command(child)] or [pid]

    def kill_worker(self, random: Random) -> None:
        """Kill one worker; the launcher restarts all of them."""
        workers = self.workers()
        if workers == self.pids()[:1]:
            self.kill_all()
        elif workers:
            self._failures_due = self.logged("run.failed") + 1
            with suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)

    def _wait_until_gone(self, pids: list[int]) -> None:
        eventually(lambda: not any(map(_is_alive, pids)), within_s=_GONE_S, what="killed processes to be gone")

    def _require_clear_end(self, run: Running) -> None:
        """Fail unless the run may end and its last line names an allowed cause."""
        output = run.output
        last = output.splitlines()[-1] if output else ""
        is_clear = last.startswith("tacit: ") and any(cause in last for cause in self._may_end_of)
        assert is_clear, f"the run ended by itself with status {run.process.returncode}: {output[-3000:]}"
        self.ended_by_itself += 1

    # View from outside

    def logged(self, event: str) -> int:
        """Return the number of log lines of the run with an event."""
        return 0 if self.run is None else self.run.output.count(f'"{event}"')

    def newest_checkpoint(self) -> int:
        """Return the highest number of a checkpoint in the state folder, or 0 without one."""
        return max((int(found.name[1:11]) for found in self.state.glob("shards/*/c*-*")), default=0)

    def rebuild(self) -> str:
        """Rebuild Redis from the state folder, and return the output of the command."""
        places = ["--state", str(self.state), "--redis", self.redis.url]
        done = tacit("rebuild", *places, cwd=self._folder)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
