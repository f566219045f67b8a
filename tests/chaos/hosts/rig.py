"""Target of the faults: hosts with a folder each, between a real broker, a real Redis and a real S3."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from tests.chaos.hosts.schedule import HOSTS, MAX_HOSTS
from tests.chaos.redis_contents import NAMESPACE
from tests.chaos.rejects import Position, rejects_in
from tests.chaos.stream import PARTITIONS
from tests.support.commands import Limits, Running
from tests.support.conditions import eventually
from tests.support.kafka_broker import Broker
from tests.support.object_proxy import ObjectProxy
from tests.support.object_server import BUCKET, ObjectServer
from tests.support.ports import free_port
from tests.support.redis_faults import FragileRedis

LIMITS: Limits = {
    "connectors.redis.ownership.LEASE_MS": 3_000,
    "connectors.redis.ownership.RENEW_MS": 1_000,
    "dataflows.hosts.host_run.MAX_QUICK_FAILURES": 10_000,
    "dataflows.hosts.host_run._PAUSE_S": 0.05,
}
"""Short limits of the launchers. Their processes import their modules again, and keep the product's limits."""
CUT_WITHIN_S = 120
_GONE_S = 20
_STOP_S = 90


class UnclearEndError(Exception):
    """A host ended by itself without an allowed cause."""


class HostRig:
    """Broker, Redis, object storage behind a proxy, and the hosts of the run."""

    def __init__(
        self, broker: Broker, server: FragileRedis, storage: ObjectServer, proxy: ObjectProxy, folder: Path
    ) -> None:
        self.broker, self.redis, self.storage, self.proxy = broker, server, storage, proxy
        self.topic = broker.create_topic(PARTITIONS)
        self.url = f"s3://{BUCKET}/chaos-{uuid4().hex[:8]}"
        self.hosts: dict[int, Running] = {}
        self.count = HOSTS
        self.starts = 0
        self.lost = 0
        """Hosts lost with their disks."""
        self.ended_by_itself = 0
        self._addresses = [f"127.0.0.{number + 1}:{free_port()}" for number in range(MAX_HOSTS)]
        self._trouble: str | None = None
        self._may_end_of: dict[int, set[str]] = {}
        """Allowed causes of the end of each host."""
        self._counted: dict[Path, tuple[int, int]] = {}
        """Size of each log of the first host, and its number of complete cuts."""
        self._folder = folder

    # Hosts

    def serve(self) -> None:
        """Start each host that does not run; one that ended by itself must name an allowed cause."""
        for number in range(self.count):
            run = self.hosts.get(number)
            if run is not None and run.process.poll() is not None:
                self._require_clear_end(number)
            if number not in self.hosts:
                self._start(number)

    def _start(self, number: int) -> None:
        self.starts += 1
        self._may_end_of[number] = {self._trouble} if self._trouble else set()
        words = ["run", f"kafka://{self.broker.servers}/{self.topic}", "--redis", self.redis.url]
        words += ["--namespace", NAMESPACE, "--metrics", "off", "--state", str(self.state(number))]
        words += ["--rejects", str(self._rejects(number)), "--checkpoint-every", "1", "--erase-within", "5"]
        words += ["--checkpoints", self.url, "--upload-every", "2", "--keep-cuts", "2"]
        words += ["--hosts", ",".join(self._addresses[: self.count]), "--host", str(number)]
        variables = self.storage.environment() | {"AWS_ENDPOINT_URL": self.proxy.endpoint}
        log = self._folder / f"host{number}-{self.starts:04d}.log"
        self.hosts[number] = Running(words, log, LIMITS, variables)

    def state(self, number: int) -> Path:
        """Return the state folder of a host."""
        return self._folder / f"state{number}"

    @property
    def states(self) -> list[Path]:
        """State folders of the hosts of now; the operator deletes that of a host that left."""
        return [self.state(number) for number in range(self.count) if self.state(number).exists()]

    def choose(self, random: Random) -> int:
        """Return the number of a host that runs."""
        self.serve()
        return random.choice(sorted(self.hosts))

    def kill(self, number: int) -> None:
        """Kill all processes of a host."""
        run = self.hosts.pop(number)
        run.kill()
        self._wait_until_gone(run)

    def lose(self, *numbers: int) -> None:
        """Kill hosts, and delete their state folders."""
        for number in numbers:
            with suppress(ProcessLookupError):
                os.killpg(self.hosts[number].process.pid, signal.SIGKILL)
        for number in numbers:
            self.kill(number)
            shutil.rmtree(self.state(number), ignore_errors=True)
            self.lost += 1

    def kill_launcher(self, number: int) -> None:
        """Kill the launcher of a host, and require that its processes end, too."""
        run = self.hosts.pop(number)
        run.process.kill()
        run.process.wait(_GONE_S)
        self._wait_until_gone(run)

    def kill_worker(self, number: int) -> None:
        """Kill the worker of a host, which starts after the process that uploads."""
        with suppress(ProcessLookupError, IndexError):
            os.kill(self.hosts[number].workers[-1], signal.SIGKILL)

    def stop(self, count: int) -> None:
        """Stop all hosts by SIGTERM, and require status 0; the next ones are `count`."""
        for number in list(self.hosts):
            if self.hosts[number].process.poll() is not None:
                self._require_clear_end(number)
        for run in self.hosts.values():
            run.process.send_signal(signal.SIGTERM)
        for number, run in self.hosts.items():
            status = run.process.wait(_STOP_S)
            has_begun = '"worker.started"' in run.output
            is_well = status == 0 or self._may_end_of[number] or (status == -signal.SIGTERM and not has_begun)
            assert is_well, f"host {number}: status {status} after SIGTERM: {run.output[-3000:]}"
            self._wait_until_gone(run)
        self.hosts.clear()
        self.count = count

    def kill_all(self) -> None:
        """Kill all hosts."""
        for number in list(self.hosts):
            self.kill(number)

    # Troubles

    def begin_trouble(self, cause: str) -> None:
        """Allow hosts to end with an error that contains `cause`, until their next start after `end_trouble`."""
        self._trouble = cause
        for causes in self._may_end_of.values():
            causes.add(cause)

    def end_trouble(self) -> None:
        """Note that the fault is removed."""
        self._trouble = None

    @staticmethod
    def _wait_until_gone(run: Running) -> None:
        eventually(lambda: not run.group, within_s=_GONE_S, what="killed processes to be gone")

    def _require_clear_end(self, number: int) -> None:
        """Fail unless the host may end, and its last line names an allowed cause."""
        run = self.hosts.pop(number)
        lines = [line for line in run.output.splitlines() if line.startswith("tacit: ")]
        is_clear = any(cause in line for line in lines[-1:] for cause in self._may_end_of[number])
        if not is_clear:
            raise UnclearEndError(f"host {number} ended with status {run.process.returncode}: {run.output[-3000:]}")
        self.ended_by_itself += 1

    # View from outside

    def wait_for_cut(self) -> None:
        """Return after the next complete cut, to which every host sent its part."""
        before = self.cuts()

        def is_complete() -> bool:
            self.serve()
            return self.cuts() > before

        eventually(is_complete, within_s=CUT_WITHIN_S, what=f"a complete cut; see the logs in {self._folder}")

    def cuts(self) -> int:
        """Return the number of complete cuts so far."""
        for log in self._folder.glob("host0-*.log"):
            size = log.stat().st_size
            if self._counted.get(log, (0, 0))[0] != size:
                self._counted[log] = size, log.read_bytes().count(b'"cut.completed"')
        return sum(cuts for _, cuts in self._counted.values())

    def fetched_bytes(self) -> tuple[int, int]:
        """Return the bytes of tables and archives that hosts fetched, and those of tables that they kept."""
        found = [event for number in range(MAX_HOSTS) for event in self._events(number)]
        fetched = sum(event.get("fetched_bytes", 0) + event.get("archive_bytes", 0) for event in found)
        return fetched, sum(event.get("kept_bytes", 0) for event in found)

    def rejects(self) -> dict[Position, str]:
        """Return the rejects of all hosts."""
        found: dict[Position, str] = {}
        for number in range(MAX_HOSTS):
            found |= rejects_in(self._rejects(number))
        return found

    def _rejects(self, number: int) -> Path:
        """Return the rejects file of a host, which is not on its disk."""
        return self._folder / f"rejects{number}.jsonl"

    def _events(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the events of cuts in all logs of a host; a kill may have cut the last line short."""
        for log in sorted(self._folder.glob(f"host{number}-*.log")):
            for line in log.read_text().splitlines():
                if '"cut.' in line or '"shard.fetched"' in line:
                    with suppress(ValueError):
                        yield json.loads(line)
