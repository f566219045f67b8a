"""What is tormented: a run of real processes between a real broker and a real Redis, and its state folder on a disk."""

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
    "connectors.kafka.fetcher.PROBE_EVERY_S": 0.5,
    "connectors.redis.client.TIMEOUT_S": 0.5,
    "connectors.redis.client.RETRY_FOR_S": 3,
    "dataflows.runtime.live.MAX_QUICK_FAILURES": 10_000,
    "dataflows.runtime.live._PAUSE_S": 0.05,
}
"""So that nobody waits for long. The processes of a cluster are started anew and have Redis' two as they are."""

_GONE_S = 20


class Rig:
    """The parts, by name, and the run while there is one."""

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
        """How many its present run will have logged when it has got over the kills so far."""
        self._folder = folder

    # The run

    def start(self, processes: int) -> Running:
        """Start a run, each with a log of its own."""
        self.starts += 1
        self.processes = processes
        self._failures_due = 0
        self._may_end_of = {self._trouble} if self._trouble else set()
        words = ["run", f"kafka://{self.broker.servers}/{self.topic}", "--redis", self.redis.url]
        words += ["--namespace", NAMESPACE, "--state", str(self.state), "--rejects", str(self.rejects)]
        words += ["--checkpoint-every", "1", "--metrics", "off", "--processes", str(processes)]
        self.run = Running(words, self._folder / f"run-{self.starts:04d}.log", LIMITS)
        return self.run

    def running(self, processes: int) -> Running:
        """Return the run; one with so many processes is started if there is none."""
        if self.run is not None and self.run.process.poll() is not None:
            self._require_clear_end(self.run)
            self.run = None
        return self.run or self.start(processes)

    def begin_trouble(self, word: str) -> None:
        """From here on until the next start after `end_trouble` a run may end by itself, if it says the word."""
        self._trouble = word
        self._may_end_of.add(word)

    def end_trouble(self) -> None:
        """Things are as they should be again."""
        self._trouble = None

    def wait_for_workers(self) -> None:
        """Return when the run's processes have all begun; or when it has ended, where that is allowed."""
        run = self.running(self.processes)

        def have_begun() -> bool:
            if self._may_end_of and run.process.poll() is not None:
                return True
            since_failure = run.output.rpartition('"run.failed"')[2]
            is_again = self.logged("run.failed") >= self._failures_due
            return is_again and since_failure.count('"worker.started"') >= self.processes

        run.wait_for(have_begun, f"{self.processes} workers to begin")

    def stop(self) -> None:
        """Ask the run to stop, and require that it ends well; before its workers begin, SIGTERM simply ends it."""
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
        """Kill the launcher and all its processes at once."""
        if self.run is not None:
            pids = self.pids()
            self.run.kill()
            self._wait_until_gone(pids)
            self.run = None

    def kill_launcher(self) -> None:
        """Kill the launcher; its processes must not outlive it."""
        if self.run is not None:
            pids = self.pids()
            self.run.process.kill()
            self.run.process.wait(_GONE_S)
            self._wait_until_gone(pids)
            self.run = None

    def pids(self) -> list[int]:
        """Return the run's processes, the launcher first."""
        return [] if self.run is None else [self.run.process.pid, *self.workers()]

    def workers(self) -> list[int]:
        """Return the processes that do the work; of a single one there is no launcher."""
        if self.run is None:
            return []
        pid = self.run.process.pid
        return [child for child in _children(pid) if b"spawn_main" in _command(child)] or [pid]

    def kill_worker(self, random: Random) -> None:
        """Kill one of the processes that do the work; a launcher starts all of them again."""
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
        """Fail unless the run was allowed to end, and its last line says of what."""
        said = run.output
        last = said.splitlines()[-1] if said else ""
        is_clear = last.startswith("tacit: ") and any(word in last for word in self._may_end_of)
        assert is_clear, f"the run ended by itself with status {run.process.returncode}: {said[-3000:]}"
        self.ended_by_itself += 1

    # What can be seen from outside

    def logged(self, event: str) -> int:
        """Return how often this run has logged an event."""
        return 0 if self.run is None else self.run.output.count(f'"{event}"')

    def newest_checkpoint(self) -> int:
        """Return the highest number of a checkpoint in the state folder; 0: there is none."""
        return max((int(found.name[1:11]) for found in self.state.glob("shards/*/c*-*")), default=0)

    def rebuild(self) -> str:
        """Say again all that the state holds, and return what the command said."""
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
