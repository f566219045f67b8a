"""Chaos run of several hosts, which keep cuts of their state in object storage."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from dataflows.cuts.bucket import Bucket
from tests.chaos.course import Course, Progress
from tests.chaos.erased import bytes_from_before_wipes
from tests.chaos.findings import Finding
from tests.chaos.hosts.cut_contents import CutContents
from tests.chaos.hosts.faults import HostFaultInjector
from tests.chaos.hosts.rig import HostRig
from tests.chaos.hosts.schedule import KILLS, LOSSES, HostStep
from tests.chaos.redis_contents import NAMESPACE
from tests.chaos.rejects import Position
from tests.chaos.report import Plan, Report
from tests.chaos.state_contents import Held
from tests.support.kafka_broker import Broker
from tests.support.object_proxy import object_proxy
from tests.support.object_server import ObjectServer, opened
from tests.support.redis_faults import fragile_redis

_RETRY_S = 20


def run_hosts(plan: Plan[HostStep], broker: Broker, storage: ObjectServer, folder: Path, progress: Progress) -> Report:
    """Run the plan in an empty folder up to the first finding; the environment has the access to the storage."""
    with ExitStack() as stack:
        server = stack.enter_context(fragile_redis(folder))
        proxy = stack.enter_context(object_proxy(storage.endpoint))
        rig = HostRig(broker, server, storage, proxy, folder)
        stack.callback(rig.kill_all)
        return HostChaos(plan, rig, folder, progress).run()


class HostChaos(Course[HostStep]):
    """Run of a plan on several hosts."""

    state = "cuts"
    caught_up_s = 150
    erased_s = 90
    counted_alone = KILLS + LOSSES

    def __init__(self, plan: Plan[HostStep], rig: HostRig, folder: Path, progress: Progress) -> None:
        super().__init__(plan, rig, folder, progress)
        self._rig = rig
        self._injector = HostFaultInjector(rig, self._feed, self._watcher, self._late, self._random)
        store = opened(f"{rig.url}/eu/{NAMESPACE}", retry_for_s=_RETRY_S)
        self._cuts = CutContents(Bucket(store), folder / "cuts")

    @property
    def _kills(self) -> int:
        return self._injector.kills

    def _inject(self, step: HostStep) -> None:
        self._injector.do(step)

    def _users(self, look: str) -> Mapping[str, Held]:
        return self._cuts.users(look)

    def _bytes_left(self) -> Iterator[Finding]:
        """Yield findings in all state folders and in all complete cuts."""
        for folder in [*self._rig.states, *self._cuts.folders()]:
            yield from bytes_from_before_wipes(folder, self._ledger.accounts)

    def _has_ended(self) -> bool:
        self._rig.serve()
        return False

    def _stop(self) -> None:
        self._rig.stop(self._rig.count)

    def _rejects(self) -> Mapping[Position, str]:
        return self._rig.rejects()

    def _figures(self) -> str:
        rig, (fetched, kept) = self._rig, self._rig.fetched_bytes()
        return (
            f"{rig.lost} hosts lost with their disks, {rig.cuts()} cuts, {fetched:,} bytes fetched and {kept:,} kept, "
            f"{rig.proxy.troubled} of {rig.proxy.requests} requests to S3 slowed or failed"
        )
