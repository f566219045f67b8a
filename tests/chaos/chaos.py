"""One chaos run, from the start of its parts to the final balance."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random
from shutil import copytree
from time import monotonic

from connectors.redis.client import RedisClient
from tests.chaos.balance import wrong_in_midstream, wrong_in_redis, wrong_in_state
from tests.chaos.disk import disk_in
from tests.chaos.erased import bytes_from_before_wipes, keys_of_wiped_users
from tests.chaos.faults import FaultInjector
from tests.chaos.feed import Feed, everything_in_topic
from tests.chaos.findings import Finding
from tests.chaos.late import LateWrites
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import shown_of
from tests.chaos.rejects import rejects_in, wrong_rejects
from tests.chaos.report import Plan, Report
from tests.chaos.rig import Rig
from tests.chaos.schedule import KILLS, Step
from tests.chaos.state_contents import users_in
from tests.chaos.stream import PARTITIONS, lines, scenario
from tests.chaos.undisturbed import differences, left_undisturbed
from tests.chaos.watcher import Watcher
from tests.support.commands import everything_in
from tests.support.conditions import eventually
from tests.support.kafka_broker import Broker
from tests.support.redis_faults import fragile_redis

CAUGHT_UP_S = 90
ERASED_S = 60

Progress = Callable[[str], object]


def run_plan(plan: Plan[Step], broker: Broker, folder: Path, progress: Progress) -> Report:
    """Run the plan in an empty folder up to the first finding; `progress` receives lines of text."""
    with ExitStack() as stack:
        disk = stack.enter_context(disk_in(folder / "disk"))
        server = stack.enter_context(fragile_redis(folder))
        rig = Rig(broker, server, disk, folder)
        stack.callback(copytree, disk.folder, folder / "left")  # kept after the disk is unmounted
        stack.callback(rig.kill_all)
        return Chaos(plan, rig, folder, progress).run()


class Chaos:
    """Run of a plan."""

    def __init__(self, plan: Plan[Step], rig: Rig, folder: Path, progress: Progress) -> None:
        self._plan, self._rig, self._folder, self._progress = plan, rig, folder, progress
        self._ledger = Ledger(PARTITIONS)
        self._watcher = Watcher(rig.redis.url, self._ledger, plan.seed)
        made = lines(scenario(plan.seed, plan.users, plan.turns))
        self._feed = Feed(rig.broker, rig.topic, made, self._ledger, plan.events_per_s)
        random = Random(f"{plan.seed}/faults")
        self._late = LateWrites(rig.redis.url, random)
        self._injector = FaultInjector(rig, self._feed, self._watcher, self._late, random)
        self._faults: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._seen = 0
        """Users compared in checkpoints during the run."""
        self._began_s = monotonic()

    def run(self) -> Report:
        """Inject all faults, then compare state, Redis and rejects with the ledger."""
        with self._watcher, self._late, self._feed:
            self._break_things()
            self._feed.finish()
            self._progress(f"waiting until all {self._ledger.records} events are in the state")
            self._let_it_catch_up()
            self._progress("waiting until no file has the bytes of a wiped user")
            self._let_it_erase()
        self._rig.stop()
        self._watcher.check()
        findings = [*self._balance(), *self._findings, *self._watcher.findings]
        return Report(
            self._plan.seed,
            self._ledger.records,
            self._faults,
            self._injector.kills,
            monotonic() - self._began_s,
            list(dict.fromkeys(findings)),
            f"{self._rig.starts} starts, {self._watcher.looks} looks at {self._watcher.versions} versions and "
            f"{self._seen} users in checkpoints, {self._wiped()} wiped users, "
            f"{self._late.sent} late writes, {self._rig.ended_by_itself} runs that "
            f"ended with the cause; full disk: {self._rig.disk.how}",
        )

    def _break_things(self) -> None:
        for step in self._plan.steps:
            if monotonic() - self._began_s > self._plan.max_s:
                return
            self._injector.do(step)
            self._look_at_state()
            if step.fault not in KILLS:
                self._faults[step.fault] += 1
            self._progress(f"{self._ledger.records:7} events {self._injector.kills:4} kills   {step.fault}")
            if not self._watcher.check() or self._findings:
                return

    def _look_at_state(self) -> None:
        """Compare the newest checkpoints with the ledger while workers run: each user equals some moment."""
        held = users_in(self._rig.state)
        with self._ledger.lock:
            self._findings += wrong_in_midstream(self._ledger, held)
        self._seen += len(held)

    def _let_it_catch_up(self) -> None:
        """Return when the state equals the ledger, or after a time limit: the balance then reports the difference."""
        run = self._rig.running(self._rig.processes)

        def is_settled() -> bool:
            has_ended = run.process.poll() is not None
            return has_ended or not any(wrong_in_state(self._ledger, users_in(self._rig.state)))

        with suppress(AssertionError):
            eventually(is_settled, within_s=CAUGHT_UP_S, what="all events to be in the state")

    def _let_it_erase(self) -> None:
        """Return when no file has bytes of a wiped user, or after a time limit: no further event comes."""

        def is_erased() -> bool:
            try:
                return not any(bytes_from_before_wipes(self._rig.state, self._ledger.accounts))
            except FileNotFoundError:
                return False

        with suppress(AssertionError):
            eventually(is_erased, within_s=ERASED_S, what="all bytes to be erased")
        self._findings += bytes_from_before_wipes(self._rig.state, self._ledger.accounts)

    def _wiped(self) -> int:
        return sum(bool(one.moments and one.moments[-1].wiped_ms) for one in self._ledger.accounts.values())

    def _balance(self) -> Iterator[Finding]:
        ledger, rig, again = self._ledger, self._rig, self._watcher.again
        assert everything_in_topic(rig.broker, rig.topic) == ledger.produced, "topic and ledger differ"
        yield from wrong_in_state(ledger, users_in(rig.state))
        yield from wrong_in_redis(ledger, shown_of(rig.redis.client, ledger.accounts), again=again)
        yield from bytes_from_before_wipes(rig.state, ledger.accounts)
        with closing(RedisClient(rig.redis.url)) as client:
            yield from keys_of_wiped_users(client, ledger.accounts)
        yield from wrong_rejects(ledger, rejects_in(rig.rejects))
        self._progress("replaying all of it undisturbed")
        left = left_undisturbed(ledger, f"kafka://{rig.broker.servers}/{rig.topic}", self._folder)
        yield from differences(left, everything_in(rig.redis.client), again=again)
