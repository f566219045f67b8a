"""Course of a chaos run: faults one by one, then the balance of state, Redis and rejects with the ledger."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path
from random import Random
from time import monotonic
from typing import ClassVar, Generic, Protocol

from connectors.redis.client import RedisClient
from tacit.errors import TacitError
from tests.chaos.balance import wrong_in_midstream, wrong_in_redis, wrong_in_state
from tests.chaos.erased import keys_of_wiped_users
from tests.chaos.feed import Feed, everything_in_topic
from tests.chaos.findings import Finding
from tests.chaos.late import LateWrites
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import shown_of
from tests.chaos.rejects import Position, wrong_rejects
from tests.chaos.report import AnyStep, Plan, Report
from tests.chaos.state_contents import Held
from tests.chaos.stream import PARTITIONS, lines, scenario
from tests.chaos.undisturbed import differences, left_undisturbed
from tests.chaos.watcher import Watcher
from tests.support.commands import everything_in
from tests.support.conditions import eventually
from tests.support.kafka_broker import Broker
from tests.support.redis_faults import FragileRedis

Progress = Callable[[str], object]


class Target(Protocol):
    """Target of the faults."""

    broker: Broker
    redis: FragileRedis
    topic: str
    starts: int
    ended_by_itself: int


class Course(ABC, Generic[AnyStep]):
    """Run of a plan; a subclass knows its target, its faults and where its state is."""

    state: ClassVar[str]
    """Place of the state, for the progress."""
    caught_up_s: ClassVar[int]
    """Time limit for all events to be in the state."""
    erased_s: ClassVar[int]
    """Time limit for the bytes of wiped users to be gone."""
    counted_alone: ClassVar[Container[StrEnum]]
    """Faults that the report counts as kills or losses."""

    def __init__(self, plan: Plan[AnyStep], target: Target, folder: Path, progress: Progress) -> None:
        self._plan, self._target, self._folder, self._progress = plan, target, folder, progress
        self._ledger = Ledger(PARTITIONS)
        self._watcher = Watcher(target.redis.url, self._ledger, plan.seed)
        made = lines(scenario(plan.seed, plan.users, plan.turns))
        self._feed = Feed(target.broker, target.topic, made, self._ledger, plan.events_per_s)
        self._random = Random(f"{plan.seed}/faults")
        self._late = LateWrites(target.redis.url, self._random)
        self._faults: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._seen = 0
        """Users compared in the state during the run."""
        self._began_s = monotonic()

    @property
    @abstractmethod
    def _kills(self) -> int:
        """Number of kills so far."""

    @abstractmethod
    def _inject(self, step: AnyStep) -> None:
        """Inject a fault."""

    @abstractmethod
    def _users(self, look: str) -> Mapping[str, Held]:
        """Return the users in the newest state; `look` names the place of a copy."""

    @abstractmethod
    def _bytes_left(self) -> Iterator[Finding]:
        """Yield findings of bytes of wiped users."""

    @abstractmethod
    def _has_ended(self) -> bool:
        """Return True if nothing more will happen; otherwise all that must run runs."""

    @abstractmethod
    def _stop(self) -> None:
        """Stop the target in order."""

    @abstractmethod
    def _rejects(self) -> Mapping[Position, str]:
        """Return the rejects that the target has written."""

    @abstractmethod
    def _figures(self) -> str:
        """Return figures of the target for the report."""

    def run(self) -> Report:
        """Inject all faults, then compare state, Redis and rejects with the ledger."""
        with self._watcher, self._late, self._feed:
            self._break_things()
            self._feed.finish()
            self._progress(f"waiting until all {self._ledger.records} events are in {self.state}")
            self._await(lambda: not any(wrong_in_state(self._ledger, self._users("look"))), self.caught_up_s)
            self._progress(f"waiting until nothing in {self.state} has the bytes of a wiped user")
            self._await(lambda: not any(self._bytes_left()), self.erased_s)
        self._stop()
        self._watcher.check()
        findings = [*self._balance(), *self._findings, *self._watcher.findings]
        return Report(
            self._plan.seed,
            self._ledger.records,
            self._faults,
            self._kills,
            monotonic() - self._began_s,
            list(dict.fromkeys(findings)),
            self._details(),
        )

    def _details(self) -> str:
        accounts = self._ledger.accounts.values()
        wiped = sum(bool(one.moments and one.moments[-1].wiped_ms) for one in accounts)
        return (
            f"{self._target.starts} starts, {self._watcher.looks} looks at {self._watcher.versions} versions and "
            f"{self._seen} users in {self.state}, {wiped} wiped users, {self._late.sent} late writes, "
            f"{self._target.ended_by_itself} ends with the cause; {self._figures()}"
        )

    def _break_things(self) -> None:
        for step in self._plan.steps:
            if monotonic() - self._began_s > self._plan.max_s:
                return
            self._inject(step)
            self._look()
            if step.fault not in self.counted_alone:
                self._faults[step.fault] += 1
            self._progress(f"{self._ledger.records:7} events {self._kills:4} kills   {step.fault}")
            if not self._watcher.check() or self._findings:
                return

    def _look(self) -> None:
        """Compare the newest state with the ledger during the run: each user equals some moment."""
        with suppress(TacitError):  # a newer cut took the place of this one meanwhile, or S3 starts again
            held = self._users("look")
            with self._ledger.lock:
                self._findings += wrong_in_midstream(self._ledger, held)
            self._seen += len(held)

    def _await(self, condition: Callable[[], bool], within_s: float) -> None:
        """Return when a condition holds, or after a time limit: the balance then reports the difference."""

        def is_met() -> bool:
            if self._has_ended():
                return True
            with suppress(TacitError, FileNotFoundError):  # files and objects are replaced meanwhile
                return condition()
            return False

        with suppress(AssertionError):
            eventually(is_met, within_s=within_s, what="the end of the run")

    def _balance(self) -> Iterator[Finding]:
        ledger, target, again = self._ledger, self._target, self._watcher.again
        assert everything_in_topic(target.broker, target.topic) == ledger.produced, "topic and ledger differ"
        yield from wrong_in_state(ledger, self._users("last"))
        yield from wrong_in_redis(ledger, shown_of(target.redis.client, ledger.accounts), again=again)
        yield from self._bytes_left()
        with closing(RedisClient(target.redis.url)) as client:
            yield from keys_of_wiped_users(client, ledger.accounts)
        yield from wrong_rejects(ledger, self._rejects())
        self._progress("replaying all of it undisturbed")
        left = left_undisturbed(ledger, f"kafka://{target.broker.servers}/{target.topic}", self._folder)
        yield from differences(left, everything_in(target.redis.client), again=again)
