"""One chaos run, from its parts to its balance."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from shutil import copytree
from time import monotonic

from tests.chaos.balance import wrong_in_midstream, wrong_in_redis, wrong_in_state
from tests.chaos.disk import disk_in
from tests.chaos.faults import Tormentor
from tests.chaos.feed import Feed, everything_in_topic
from tests.chaos.findings import Finding
from tests.chaos.late import LateWrites
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import shown_of
from tests.chaos.rejects import told_in, wrong_rejects
from tests.chaos.report import Plan, Report
from tests.chaos.rig import Rig
from tests.chaos.schedule import KILLS
from tests.chaos.state_contents import everybody_in
from tests.chaos.stream import PARTITIONS, lines, scenario
from tests.chaos.undisturbed import differences, left_undisturbed
from tests.chaos.watcher import Watcher
from tests.support.commands import everything_in
from tests.support.conditions import eventually
from tests.support.kafka_broker import Broker
from tests.support.redis_faults import fragile_redis

CAUGHT_UP_S = 90

Tell = Callable[[str], object]


def torment(plan: Plan, broker: Broker, folder: Path, tell: Tell) -> Report:
    """Do the plan in an empty folder, up to the first thing found wrong; `tell` hears of its progress."""
    with ExitStack() as stack:
        disk = stack.enter_context(disk_in(folder / "disk"))
        server = stack.enter_context(fragile_redis(folder))
        rig = Rig(broker, server, disk, folder)
        stack.callback(copytree, disk.folder, folder / "left")  # the disk goes away; what it held may tell
        stack.callback(rig.kill_all)
        return Chaos(plan, rig, folder, tell).run()


class Chaos:
    """A plan that is being done."""

    def __init__(self, plan: Plan, rig: Rig, folder: Path, tell: Tell) -> None:
        self._plan, self._rig, self._folder, self._tell = plan, rig, folder, tell
        self._ledger = Ledger(PARTITIONS)
        self._watcher = Watcher(rig.redis.url, self._ledger, plan.seed)
        made = lines(scenario(plan.seed, plan.users, plan.turns))
        self._feed = Feed(rig.broker, rig.topic, made, self._ledger, plan.events_per_s)
        random = Random(f"{plan.seed}/faults")
        self._late = LateWrites(rig.redis.url, random)
        self._tormentor = Tormentor(rig, self._feed, self._watcher, self._late, random)
        self._faults: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._seen = 0
        """People looked at in checkpoints under way."""
        self._began_s = monotonic()

    def run(self) -> Report:
        """Do it all."""
        with self._watcher, self._late, self._feed:
            self._break_things()
            self._feed.finish()
            self._tell(f"waiting until all {self._ledger.records} events are in the state")
            self._let_it_catch_up()
        self._rig.stop()
        self._watcher.check()
        findings = [*self._balance(), *self._findings, *self._watcher.findings]
        return Report(
            self._plan,
            self._ledger.records,
            self._faults,
            self._tormentor.kills,
            monotonic() - self._began_s,
            list(dict.fromkeys(findings)),
            f"{self._rig.starts} starts, {self._watcher.looks} looks at {self._watcher.versions} versions and "
            f"{self._seen} people in checkpoints, {self._late.sent} late writes, {self._rig.ended_by_itself} runs that "
            f"ended and said why; full disk: {self._rig.disk.how}",
        )

    def _break_things(self) -> None:
        for step in self._plan.steps:
            if monotonic() - self._began_s > self._plan.most_s:
                return
            self._tormentor.do(step)
            self._look_at_state()
            if step.fault not in KILLS:
                self._faults[step.fault] += 1
            self._tell(f"{self._ledger.records:7} events {self._tormentor.kills:4} kills   {step.fault}")
            if not self._watcher.check() or self._findings:
                return

    def _look_at_state(self) -> None:
        """Read the newest checkpoints while workers go on: each person is as the ledger has them at some moment."""
        held = everybody_in(self._rig.state)
        with self._ledger.lock:
            self._findings += wrong_in_midstream(self._ledger, held)
        self._seen += len(held)

    def _let_it_catch_up(self) -> None:
        """Return when the state holds what the ledger does; or has not for long, which the balance then tells."""
        run = self._rig.running(self._rig.processes)

        def is_settled() -> bool:
            has_ended = run.process.poll() is not None
            return has_ended or not any(wrong_in_state(self._ledger, everybody_in(self._rig.state)))

        with suppress(AssertionError):
            eventually(is_settled, within_s=CAUGHT_UP_S, what="all events to be in the state")

    def _balance(self) -> Iterator[Finding]:
        ledger, rig, again = self._ledger, self._rig, self._watcher.again
        assert everything_in_topic(rig.broker, rig.topic) == ledger.produced, "the topic is not what the ledger has"
        yield from wrong_in_state(ledger, everybody_in(rig.state))
        yield from wrong_in_redis(ledger, shown_of(rig.redis.client, ledger.accounts), again=again)
        yield from wrong_rejects(ledger, told_in(rig.rejects))
        self._tell("replaying all of it undisturbed")
        left = left_undisturbed(ledger, self._folder)
        yield from differences(left, everything_in(rig.redis.client), again=again)
