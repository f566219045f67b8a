"""One chaos run with several hosts, from the start of its parts to the final balance."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random
from time import monotonic

from connectors.redis.client import RedisClient
from dataflows.cuts.bucket import Bucket
from tacit.errors import TacitError
from tests.chaos.balance import wrong_in_midstream, wrong_in_redis, wrong_in_state
from tests.chaos.chaos import Progress
from tests.chaos.erased import bytes_from_before_wipes, keys_of_wiped_users
from tests.chaos.feed import Feed, everything_in_topic
from tests.chaos.findings import Finding
from tests.chaos.hosts.cut_contents import CutContents
from tests.chaos.hosts.faults import HostFaultInjector
from tests.chaos.hosts.rig import HostRig
from tests.chaos.hosts.schedule import KILLS, LOSSES, HostStep
from tests.chaos.late import LateWrites
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import NAMESPACE, shown_of
from tests.chaos.rejects import wrong_rejects
from tests.chaos.report import Plan, Report
from tests.chaos.stream import PARTITIONS, lines, scenario
from tests.chaos.undisturbed import differences, left_undisturbed
from tests.chaos.watcher import Watcher
from tests.support.commands import everything_in
from tests.support.conditions import eventually
from tests.support.kafka_broker import Broker
from tests.support.object_proxy import object_proxy
from tests.support.object_server import ObjectServer, opened
from tests.support.redis_faults import fragile_redis

CAUGHT_UP_S = 150
ERASED_S = 90
_RETRY_S = 20


def run_hosts(plan: Plan[HostStep], broker: Broker, storage: ObjectServer, folder: Path, progress: Progress) -> Report:
    """Run the plan in an empty folder up to the first finding; the environment has the access to the storage."""
    with ExitStack() as stack:
        server = stack.enter_context(fragile_redis(folder))
        proxy = stack.enter_context(object_proxy(storage.endpoint))
        rig = HostRig(broker, server, storage, proxy, folder)
        stack.callback(rig.kill_all)
        return HostChaos(plan, rig, folder, progress).run()


class HostChaos:
    """Run of a plan."""

    def __init__(self, plan: Plan[HostStep], rig: HostRig, folder: Path, progress: Progress) -> None:
        self._plan, self._rig, self._folder, self._progress = plan, rig, folder, progress
        self._ledger = Ledger(PARTITIONS)
        self._watcher = Watcher(rig.redis.url, self._ledger, plan.seed)
        made = lines(scenario(plan.seed, plan.users, plan.turns))
        self._feed = Feed(rig.broker, rig.topic, made, self._ledger, plan.events_per_s)
        random = Random(f"{plan.seed}/faults")
        self._late = LateWrites(rig.redis.url, random)
        self._injector = HostFaultInjector(rig, self._feed, self._watcher, self._late, random)
        store = opened(f"{rig.url}/eu/{NAMESPACE}", retry_for_s=_RETRY_S)
        self._cuts = CutContents(Bucket(store), folder / "cuts")
        self._faults: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._seen = 0
        """Users compared in cuts during the run."""
        self._began_s = monotonic()

    def run(self) -> Report:
        """Inject all faults, then compare cuts, Redis and rejects with the ledger."""
        with self._watcher, self._late, self._feed:
            self._break_things()
            self._feed.finish()
            self._progress(f"waiting until all {self._ledger.records} events are in a cut")
            self._await(self._is_settled, CAUGHT_UP_S)
            self._progress("waiting until no file and no object has the bytes of a wiped user")
            self._await(lambda: not any(self._bytes_left()), ERASED_S)
        self._rig.stop(self._rig.count)
        self._watcher.check()
        findings = [*self._balance(), *self._findings, *self._watcher.findings]
        return Report(
            self._plan.seed,
            self._ledger.records,
            self._faults,
            self._injector.kills,
            monotonic() - self._began_s,
            list(dict.fromkeys(findings)),
            self._details(),
        )

    def _details(self) -> str:
        rig, (fetched, kept) = self._rig, self._rig.fetched_bytes()
        wiped = sum(bool(one.moments and one.moments[-1].wiped_ms) for one in self._ledger.accounts.values())
        return (
            f"{rig.lost} hosts lost with their disks, {rig.starts} starts, {rig.cuts()} cuts, "
            f"{fetched:,} bytes fetched and {kept:,} kept; "
            f"{self._watcher.looks} looks at {self._watcher.versions} versions and {self._seen} users in cuts, "
            f"{wiped} wiped users, {self._late.sent} late writes, {rig.proxy.troubled} of {rig.proxy.requests} "
            f"requests to S3 slowed or failed, {rig.ended_by_itself} hosts that ended with the cause"
        )

    def _break_things(self) -> None:
        for step in self._plan.steps:
            if monotonic() - self._began_s > self._plan.max_s:
                return
            self._injector.do(step)
            self._look_at_cut()
            if step.fault not in KILLS + LOSSES:
                self._faults[step.fault] += 1
            self._progress(f"{self._ledger.records:7} events {self._rig.lost:4} hosts lost   {step.fault}")
            if not self._watcher.check() or self._findings:
                return

    def _look_at_cut(self) -> None:
        """Compare the newest cut with the ledger during the run: each user equals some moment."""
        try:
            held = self._cuts.users("look")
        except TacitError:  # a newer cut took the place of this one meanwhile, or S3 starts again
            return
        with self._ledger.lock:
            self._findings += wrong_in_midstream(self._ledger, held)
        self._seen += len(held)

    def _is_settled(self) -> bool:
        return not any(wrong_in_state(self._ledger, self._cuts.users("look")))

    def _bytes_left(self) -> Iterator[Finding]:
        """Yield findings in all state folders and in all complete cuts."""
        for folder in [*self._rig.states, *self._cuts.folders()]:
            yield from bytes_from_before_wipes(folder, self._ledger.accounts)

    def _await(self, condition: Callable[[], bool], within_s: float) -> None:
        """Return when a condition holds, or after a time limit: the balance then reports the difference."""

        def is_met() -> bool:
            self._rig.serve()
            with suppress(TacitError, FileNotFoundError):  # files and objects are replaced meanwhile
                return condition()
            return False

        with suppress(AssertionError):
            eventually(is_met, within_s=within_s, what="the end of the run")

    def _balance(self) -> Iterator[Finding]:
        ledger, rig, again = self._ledger, self._rig, self._watcher.again
        assert everything_in_topic(rig.broker, rig.topic) == ledger.produced, "topic and ledger differ"
        yield from wrong_in_state(ledger, self._cuts.users("last"))
        yield from wrong_in_redis(ledger, shown_of(rig.redis.client, ledger.accounts), again=again)
        yield from self._bytes_left()
        with closing(RedisClient(rig.redis.url)) as client:
            yield from keys_of_wiped_users(client, ledger.accounts)
        yield from wrong_rejects(ledger, rig.rejects())
        self._progress("replaying all of it undisturbed")
        left = left_undisturbed(ledger, f"kafka://{rig.broker.servers}/{rig.topic}", self._folder)
        yield from differences(left, everything_in(rig.redis.client), again=again)
