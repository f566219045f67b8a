"""Chaos run of one host, on a disk of its own."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from shutil import copytree

from tests.chaos.course import Course, Progress
from tests.chaos.disk import disk_in
from tests.chaos.erased import bytes_from_before_wipes
from tests.chaos.faults import FaultInjector
from tests.chaos.findings import Finding
from tests.chaos.rejects import Position, rejects_in
from tests.chaos.report import Plan, Report
from tests.chaos.rig import Rig
from tests.chaos.schedule import KILLS, Step
from tests.chaos.state_contents import Held, users_in
from tests.support.kafka_broker import Broker
from tests.support.redis_faults import fragile_redis


def run_plan(plan: Plan[Step], broker: Broker, folder: Path, progress: Progress) -> Report:
    """Run the plan in an empty folder up to the first finding; `progress` receives lines of text."""
    with ExitStack() as stack:
        disk = stack.enter_context(disk_in(folder / "disk"))
        server = stack.enter_context(fragile_redis(folder))
        rig = Rig(broker, server, disk, folder)
        stack.callback(copytree, disk.folder, folder / "left")  # kept after the disk is unmounted
        stack.callback(rig.kill_all)
        return Chaos(plan, rig, folder, progress).run()


class Chaos(Course[Step]):
    """Run of a plan on one host."""

    state = "the state folder"
    caught_up_s = 90
    erased_s = 60
    counted_alone = KILLS

    def __init__(self, plan: Plan[Step], rig: Rig, folder: Path, progress: Progress) -> None:
        super().__init__(plan, rig, folder, progress)
        self._rig = rig
        self._injector = FaultInjector(rig, self._feed, self._watcher, self._late, self._random)

    @property
    def _kills(self) -> int:
        return self._injector.kills

    def _inject(self, step: Step) -> None:
        self._injector.do(step)

    def _users(self, look: str) -> Mapping[str, Held]:  # noqa: ARG002  # the files are read where they are
        return users_in(self._rig.state)

    def _bytes_left(self) -> Iterator[Finding]:
        yield from bytes_from_before_wipes(self._rig.state, self._ledger.accounts)

    def _has_ended(self) -> bool:
        run = self._rig.run or self._rig.start(self._rig.processes)
        return run.process.poll() is not None

    def _stop(self) -> None:
        self._rig.stop()

    def _rejects(self) -> Mapping[Position, str]:
        return rejects_in(self._rig.rejects)

    def _figures(self) -> str:
        return f"full disk: {self._rig.disk.how}"
