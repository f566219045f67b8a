"""The user is in control: a state machine of events, faults and operators on a real Redis and real shards.

Users send events with wrong clocks, twice and out of order. The worker crashes, resumes, and is set back to an older
folder; histories are replayed into `live` and `shadow`; operators promote and rebuild. After each step:

- a user whose last answer is "no" is not learned from and not adapted to, in any namespace;
- a forgotten user without later events has no signal and no pin;
- a user without a "yes" since the last forget has nothing learned;
- the last pin is what the reader chooses;
- at the end, state, gates and signals equal those of one quiet run over the same log.

`TACIT_CONTROL_RUNS=1000 pytest tests/integration/test_user_control.py` runs longer than the suite does.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time_ns
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from connectors.redis.client import RedisClient
from connectors.redis.namespaces import Namespaces
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from operators.adapt import Adapt, Examples
from operators.parse import Parser
from state.counters import EventCounters, SinkCounters
from state.events.records import KafkaOrigin, Record, Records, Reject, RoundEnd
from state.learning.population_prior import Prior
from state.storage.shard_stores import ShardStores
from state.user.full_write import gate_write, signals_write
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import Restored
from tacit import SignalReader
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit_lab.embedded import EmbeddedRedis
from tests.support.factories import CATALOGUE_FILE, REQUIRED, make_event
from tests.support.shard_stores import contents

SECRET = b"0123456789abcdef"
USERS = ("ada", "bob")
PSEUDONYMS = {user: pseudonym(user, SECRET) for user in USERS}
ORIGIN = KafkaOrigin("events", 0)
RULES = Rules(REQUIRED, ttl_ms=None)
RUNS = int(os.environ.get("TACIT_CONTROL_RUNS", "40"))
HOUR_MS = 3_600_000

CATALOGUE = Catalogue.load(CATALOGUE_FILE)
CLOCK_ERRORS = st.sampled_from(["right", "right", "right", "behind", "ahead", "seconds", "none"])
FACETS = st.sampled_from(["length", "tone"])
VALUES = {"length": "detailed", "tone": "formal"}


class Worker:
    """One run of the dataflow's steps over the log: parser, one shard, and writer."""

    def __init__(self, url: str, folder: Path | None, namespace: str, mode: Mode, token: bytes | None = None) -> None:
        self.counters = EventCounters()
        self._parser = Parser(catalogue=REQUIRED, region="eu", secret=SECRET, shards=1, counters=self.counters)
        execution = f"{time_ns() & 0xFFFFFFFF:08x}"
        self.stores = ShardStores(folder, 1, REQUIRED, execution, cached_users=2)
        self.adapt = Adapt(self.stores, RULES, self.counters, self._parser, token)
        target = Target(url, "eu", namespace, mode, ttl_ms=None)
        self.writer = SignalWriter(target, SinkCounters())

    def read(self, records: Sequence[Record]) -> None:
        """Process records as one batch."""
        out, _ = self.adapt.on_batch([Records(records)])
        self.writer.write([write for write in out if not isinstance(write, Reject | Examples | RoundEnd | Restored)])

    def states(self) -> dict[bytes, bytes]:
        """Return packed states by pseudonym."""
        store = self.adapt._store
        return contents(store) if store else {}

    def users(self) -> Iterator[tuple[bytes, UserState]]:
        """Yield the states of all users."""
        yield from self.adapt._store or ()

    def close(self) -> None:
        """End without a checkpoint, as after kill -9."""
        self.writer.close()
        self.stores.__exit__(None, None, None)


class UserControl(RuleBasedStateMachine):
    """Users, a worker, and operators."""

    server: ClassVar[EmbeddedRedis]

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Record] = []
        self.events: list[dict[str, Any]] = []
        """Event of each record."""
        self.read = 0
        """Records that the worker has read."""
        self.most_read = 0
        self.now_ms = time_ns() // 1_000_000 - 24 * HOUR_MS
        self.temporary = TemporaryDirectory(prefix="tacit-control-")
        self.root = Path(self.temporary.name)
        self.saved: list[tuple[Path, bytes, int]] = []
        self.rebuilt = False

    @initialize()
    def start(self) -> None:
        self.client = redis.Redis.from_url(self.server.url)
        self.client.flushall()
        self.folder = self.root / "state"
        self.worker = Worker(self.server.url, self.folder, "live", Mode.LIVE)

    # Users

    def _append(self, event: dict[str, Any], value: bytes | None = None) -> None:
        self.now_ms += 1000
        self.log.append(Record(ORIGIN, len(self.log), value or json.dumps(event).encode(), self.now_ms))
        self.events.append(event)

    def _send(self, user: str, clock: str, **fields: Any) -> None:
        now_ms = self.now_ms + 1000
        at: Any = {
            "right": now_ms,
            "behind": now_ms - 20_000,
            "ahead": now_ms + 3 * HOUR_MS,
            "seconds": now_ms // 1000,
            "none": ...,
        }[clock]
        self._append(make_event(user_id=user, event_id=f"e-{len(self.log)}", at=at, **fields))

    @rule(user=st.sampled_from(USERS), facet=FACETS, number=st.integers(1, 8))
    def like(self, user: str, facet: str, number: int) -> None:
        for _ in range(number):
            self._send(user, "right", served={facet: VALUES[facet]}, feedback={"kind": "thumbs_up"})

    @rule(user=st.sampled_from(USERS), clock=CLOCK_ERRORS, scope=st.sampled_from([..., ["learn"], ["use"]]))
    def grant(self, user: str, clock: str, scope: Any) -> None:
        self._send(user, clock, type="consent", granted=True, scope=scope)

    @rule(
        user=st.sampled_from(USERS),
        clock=CLOCK_ERRORS,
        granted=st.sampled_from([False, False, None, "no"]),
        scope=st.sampled_from([..., ..., ["use"], ["learn"]]),
        note=st.sampled_from([..., "unknown"]),
    )
    def deny(self, user: str, clock: str, granted: Any, scope: Any, note: Any) -> None:
        self._send(user, clock, type="consent", granted=granted, scope=scope, note=note)

    @rule(user=st.sampled_from(USERS), clock=CLOCK_ERRORS, facets=st.sampled_from([..., ..., ["length"]]))
    def forget(self, user: str, clock: str, facets: Any) -> None:
        self._send(user, clock, type="forget", facets=facets)

    @rule(user=st.sampled_from(USERS), clock=CLOCK_ERRORS, value=st.sampled_from(["concise", "balanced", None]))
    def pin(self, user: str, clock: str, value: str | None) -> None:
        self._send(user, clock, type="pin", facet="length", value=value)

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def send_twice(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(max(0, len(self.log) - 20), len(self.log) - 1))
        self._append(self.events[index], self.log[index].value)

    @precondition(lambda self: len(self.log) - self.most_read >= 2)
    @rule()
    def arrive_out_of_order(self) -> None:
        *before, one, other = self.log
        self.log = [*before, other._replace(position=one.position), one._replace(position=other.position)]
        self.events[-2:] = self.events[-1], self.events[-2]

    # The worker

    @rule(number=st.integers(1, 20))
    def process(self, number: int) -> None:
        self.worker.read(self.log[self.read : self.read + number])
        self.read = min(len(self.log), self.read + number)
        self.most_read = max(self.most_read, self.read)
        self.check()

    @precondition(lambda self: self.read)
    @rule()
    def checkpoint(self) -> None:
        token = self.worker.adapt.snapshot() if self.worker.states() else b""
        self.worker.stores._deleter.submit(bool).result()  # a copy must not meet the deletion of an old checkpoint
        if token:
            copy = self.root / f"saved-{len(self.saved)}"
            shutil.copytree(self.folder, copy, ignore=shutil.ignore_patterns("work-*"))
            self.saved.append((copy, token, self.read))

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Resume from the newest checkpoint, or from an older copy of the folder."""
        self.worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if not self.saved:
            self.read = 0
            self.worker = Worker(self.server.url, self.folder, "live", Mode.LIVE)
            return
        copy, token, self.read = data.draw(st.sampled_from([self.saved[-1], self.saved[-1], *self.saved]))
        shutil.copytree(copy, self.folder)
        self.worker = Worker(self.server.url, self.folder, "live", Mode.LIVE, token)
        self.check()

    # Operators

    @precondition(lambda self: self.most_read)
    @rule(namespace=st.sampled_from(["live", "shadow"]), cut=st.integers(1, 7))
    def replay(self, namespace: str, cut: int) -> None:
        """Replay what was read, next to the worker, in batches."""
        mode = Mode.FILL if namespace == "live" else Mode.REPLAY
        self._replay(namespace, mode, cut)
        self.check()

    def _replay(self, namespace: str, mode: Mode, cut: int = 1000) -> dict[bytes, bytes]:
        worker = Worker(self.server.url, None, namespace, mode)
        try:
            for start in range(0, self.most_read, cut):
                worker.read(self.log[start : min(start + cut, self.most_read)])
                self.check()
            return worker.states()
        finally:
            worker.close()

    @rule()
    def promote(self) -> None:
        with closing(Namespaces(RedisClient(self.server.url), RegionKeys("eu"))) as namespaces:
            registered = namespaces.registered()
            if registered:
                namespaces.promote(registered[-1], namespaces.active())
        self.check()

    @rule()
    def rebuild(self) -> None:
        prior = Prior(REQUIRED)
        users = list(self.worker.users())
        self.worker.writer.write([gate for user in users if (gate := gate_write(*user, prior))])
        self.worker.writer.write([found for user in users if (found := signals_write(*user, prior))])
        self.rebuilt = True
        self.check()

    # What always holds

    def check(self) -> None:
        """Check what readers see, against the plain words of the log."""
        for namespace in (None, "live", "shadow"):
            with SignalReader(
                self.server.url, region="eu", secret=SECRET, catalogue=CATALOGUE, namespace=namespace
            ) as reader:
                for user in USERS:
                    adaptation = reader.get(user)
                    wanted = Wanted(user, self.events[: self.most_read], self.log)
                    learned = {name for name, signal in adaptation.signals.items() if signal.source != "user"}
                    if wanted.surely_allows_use:
                        assert adaptation.status != "opted_out"
                    if wanted.denies_use:
                        assert adaptation.status == "opted_out"
                        assert not adaptation.signals
                    if wanted.denies_learning or wanted.is_forgotten or not wanted.ever_yes:
                        assert not learned
                        assert adaptation.profile is None
                    if wanted.is_forgotten:
                        assert not adaptation.signals
                    if wanted.pinned and not wanted.may_deny_use:
                        assert adaptation.choose(unit="any").values["length"] == wanted.pinned

    def teardown(self) -> None:
        """Compare with one quiet run, once the worker has read everything."""
        if not hasattr(self, "worker"):
            return
        self.most_read = max(self.most_read, len(self.log))
        self.worker.read(self.log[self.read :])
        self.check()
        states = self.worker.states()
        dumped = self._dump()
        self.client.flushall()
        assert self._replay("live", Mode.LIVE) == states
        again = self._dump()
        assert {key: value for key, value in dumped.items() if key.endswith((":gate", ":history"))} == {
            key: value for key, value in again.items() if key.endswith((":gate", ":history"))
        }
        assert self._shown(dumped) == self._shown(again)
        self.worker.close()
        self.temporary.cleanup()

    def _dump(self) -> dict[str, Any]:
        keys = RegionKeys("eu")
        found: dict[str, Any] = {}
        for user in PSEUDONYMS.values():
            signals, gate = keys.within("live").signals(user), keys.gate(user)
            fields: Any = self.client.hgetall(signals)
            found[signals] = {name.decode(): json.loads(value) for name, value in fields.items()}
            found[gate] = self.client.get(gate)
            found[keys.history(user)] = self.client.get(keys.history(user))
        return found

    def _shown(self, dumped: dict[str, Any]) -> dict[tuple[str, str], Any]:
        """Return what a rebuild keeps of the signals: a rebuilt signal has the version of the last event."""
        return {
            (key, name): (field if not self.rebuilt else (field.get("value"), field.get("tier")))
            for key, fields in dumped.items()
            if key.endswith(":signals")
            for name, field in fields.items()
        }


class Wanted:
    """Choices of a user, in the order of the log, read without any clock and in doubt as a "no"."""

    def __init__(self, user: str, events: Sequence[dict[str, Any]], log: Sequence[Record]) -> None:
        self.denies_use = self.denies_learning = self.is_forgotten = self.ever_yes = self.may_deny_use = False
        self.surely_allows_use = False
        """The last word on use is a yes by a clock that is right; repeats of an earlier no change nothing."""
        self.pinned: str | None = None
        self._has_forgotten = False
        seen: set[str] = set()
        newest_ms = 0
        for event, record in zip(events, log, strict=False):
            if event["user_id"] != user:
                continue
            is_repeat = event["event_id"] in seen
            seen.add(event["event_id"])
            is_right = newest_ms < event.get("at", 0) == record.timestamp_ms
            self._take(event, is_repeat, is_right)
            newest_ms = max(newest_ms, record.timestamp_ms)

    def _take(self, event: dict[str, Any], is_repeat: bool, is_right: bool) -> None:
        """Take in an event; `is_right`: its clock is right, and it is newer than all events before."""
        kind, scope = event["type"], event.get("scope") or ["learn", "use", "explore"]
        if kind == "consent" and not is_repeat and "use" in scope:
            self.surely_allows_use = event["granted"] is True and is_right
        if kind == "consent" and event["granted"] is True:
            self.ever_yes |= "learn" in scope
            self.denies_use &= "use" not in scope
            self.denies_learning &= "learn" not in scope
        elif is_repeat:
            if kind == "interaction":
                self.is_forgotten = False  # a repeat may be an event of after the forget
        elif kind == "consent":
            self.denies_use |= "use" in scope
            self.may_deny_use |= "use" in scope
            self.denies_learning |= "learn" in scope
            self.is_forgotten = False
        elif kind == "forget" and not event.get("facets"):
            self.is_forgotten, self.ever_yes, self.pinned, self._has_forgotten = True, False, None, True
        elif kind == "forget":
            self.pinned, self._has_forgotten = None, True
        elif kind == "pin":  # by a clock that is behind, it may be one of before the forget
            self.pinned = event["value"] if is_right or not self._has_forgotten else None
            self.is_forgotten = False
        else:
            self.is_forgotten = False


@pytest.mark.server
def test_user_is_in_control() -> None:
    """All rules in any order."""
    with EmbeddedRedis() as server:
        UserControl.server = server
        run_state_machine_as_test(
            UserControl,
            settings=settings(
                max_examples=RUNS, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
