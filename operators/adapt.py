"""The stateful step: a shard's records → writes for Redis, rejects, and examples for the training."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from operators.erasure import ErasureTimer, ErasureTimes
from operators.parse import Parsed
from operators.restoring import Restoring, restored_empty
from state.counters import EventCounters, Outcome
from state.events.observation import CONTROL_NAMES, Kind, Observation
from state.events.records import Reason, Record, Records, Reject, Restore, RoundEnd, ToAllShards
from state.learning.example import Forget, Message
from state.learning.population_prior import CurrentPrior
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.user.absence import RECLAIM_GRACE_MS
from state.user.parts import Waiting
from state.user.rules import Rules
from state.user.writes import AnyWrite, Write

RECLAIMED_PER_INTERVAL = 125
"""Users per shard and checkpoint interval that are checked: a million in some 80 minutes, at intervals of 10 s."""

DEFAULT_ERASURE = ErasureTimes(within_ms=900_000, checkpoint_ms=10_000)

_NO_TIME = sys.maxsize


class Examples(NamedTuple):
    """Examples of a batch for the training of the shard, and forgets of users, in the order of the stream."""

    messages: list[Message]


Adapted = AnyWrite | Reject | Examples | RoundEnd

Parse = Callable[[Iterable[Record]], Parsed]
"""Type of `operators.parse.Parser`."""


class Adapt(StatefulBatchLogic[Records | ToAllShards, Adapted, bytes]):
    """The users of a shard. Each observation is counted here; each user's signals are written once per batch."""

    def __init__(
        self,
        stores: ShardStores,
        rules: Rules,
        counters: EventCounters,
        parse: Parse,
        token: bytes | None = None,
        *,
        shared: CurrentPrior | None = None,
        enter_round: Callable[[int], object] | None = None,
        reclaims: bool = False,
        erasure: ErasureTimes = DEFAULT_ERASURE,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Resume from a snapshot's token, or start with an empty shard.

        Args:
            stores: the shards of the process.
            rules: rules of the deployment.
            counters: counters of the process.
            parse: the parser of the process.
            token: token of the snapshot; None at the first start.
            shared: newest prior of the process; None: the prior of `rules` stays.
            enter_round: sets `shared` to the prior of a round of a bounded run; None: the run has no rounds.
            reclaims: frees the state of absent users.
            erasure: limits of the erasure of wiped users' bytes.
            clock: Unix epoch milliseconds, for rejects.
        """
        self._stores = stores
        self._rules = rules
        self._counters = counters
        self._parse = parse
        self._shared = shared
        self._enter_round = enter_round
        self._messages: list[Message] = []
        self._reclaims = reclaims
        self._clock = clock
        self._erasure = ErasureTimer(erasure, clock)
        self._restoring = Restoring()
        self._counted_users = 0
        self._store: ShardStore | None = None
        """None until the first observation, which names the shard: Bytewax does not pass the key."""
        self._oldest_ms = _NO_TIME
        """Oldest time of a record in the checkpoint interval."""
        if token is not None:
            self._store = stores.resume(token)
            self._count_users(self._store)

    def on_batch(self, values: list[Records | ToAllShards]) -> tuple[list[Adapted], bool]:
        """Take in the records in order, and return writes, rejects and examples, then the ends of a round.

        A new shard without an observation is discarded: it has no users, and so no snapshot.
        """
        adapted, is_discarded = self._adapt(values)
        for mark in values:
            if isinstance(mark, Restore):
                self._restoring.take(mark)
                if self._store is None:
                    adapted.append(restored_empty(mark))
        return adapted, is_discarded

    def _adapt(self, values: list[Records | ToAllShards]) -> tuple[list[Adapted], bool]:
        groups = [value for value in values if isinstance(value, Records)]
        ends = [value for value in values if isinstance(value, RoundEnd)]
        if self._enter_round is not None and groups:
            self._enter_round(groups[0].round)
        observations, records, rejects = self._parse(chain.from_iterable(groups))
        if not observations:
            return [*rejects, *ends], StatefulBatchLogic.DISCARD if self._store is None else StatefulBatchLogic.RETAIN
        writes, late = self.observe(observations, records)
        adapted: list[Adapted] = [*writes, *rejects, *late]
        if messages := self.take_messages():
            adapted.append(Examples(messages))
        return [*adapted, *ends], StatefulBatchLogic.RETAIN

    def observe(
        self, observations: Sequence[Observation], records: Sequence[Record]
    ) -> tuple[list[Write], list[Reject]]:
        """Take in one observation or more, and return the writes of changed users and the rejects.

        Args:
            observations: parsed events of users of the shard, in order.
            records: record of each observation.
        """
        if self._store is None:
            self._store = self._stores.create(observations[0].user)
        store = self._store
        self._renew_prior()
        waiting = {o.user: Waiting() for o in observations}
        is_new_interval = store.begin_batch(waiting)
        touched, wiped, rejects = self._observe_each(store, waiting, observations, records)
        writes: list[Write] = []
        for user in touched:
            store.put(user)
            writes += store.move_to(user, waiting[user]).take_writes(user, self._rules.catalogue)
        if wiped:
            store.erase(wiped)
            self._erasure.start()
        store.end_batch()
        if self._reclaims:
            self._reclaim(store, records, is_new_interval)
        self._count_users(store)
        return writes, rejects

    def _renew_prior(self) -> None:
        if self._shared is not None and self._shared.prior is not self._rules.prior:
            self._rules = replace(self._rules, population=self._shared.prior)

    def _observe_each(
        self,
        store: ShardStore,
        waiting: Mapping[bytes, Waiting],
        observations: Sequence[Observation],
        records: Sequence[Record],
    ) -> tuple[Iterable[bytes], Sequence[bytes], list[Reject]]:
        """Take in the observations of a batch; return changed and wiped users, and the rejects."""
        touched: dict[bytes, None] = {}
        rejects: list[Reject] = []
        wiped: list[bytes] = []
        outcomes, rules = self._counters.outcomes, self._rules
        self._counters.count_times(observations)
        for o, record in zip(observations, records, strict=True):
            user = o.user
            outcome, example, wipes, remembers = store.move_to(user, waiting[user]).observe(o, rules)
            if wipes:
                wiped.append(user)
                if rules.teaches:
                    self._messages.append(Forget(user))
            if isinstance(outcome, Reason):
                rejects.append(self._reject(o, outcome, record))
                continue
            outcomes[outcome] += 1
            if outcome is Outcome.ACCEPTED or wipes or remembers:
                touched[user] = None
                if example is not None:
                    self._messages.append(example)
        return touched, wiped, rejects

    def _reclaim(self, store: ShardStore, records: Iterable[Record], is_new_interval: bool) -> None:
        """Free some absent users, once in a checkpoint interval, by the oldest of the records' own times.

        Times of events do not count: a device with a wrong clock must neither free other users nor keep all of them.
        """
        oldest_ms = min((record.timestamp_ms for record in records if record.timestamp_ms), default=_NO_TIME)
        self._oldest_ms = min(self._oldest_ms, oldest_ms)
        if is_new_interval and self._oldest_ms != _NO_TIME:
            rules = self._rules
            before_ms, wipes_before_ms = rules.idle_ms + RECLAIM_GRACE_MS, rules.tombstone_ms
            store.reclaim(self._oldest_ms - before_ms, self._oldest_ms - wipes_before_ms, RECLAIMED_PER_INTERVAL)
            self._oldest_ms = oldest_ms

    def notify_at(self) -> datetime | None:
        """Return the time of the next step without events: at once in a restoration, else that of the erasure."""
        if self._restoring.is_running:
            return datetime.now(UTC)
        return self._erasure.wake_at(self._store) if self._store is not None else None

    def on_notify(self) -> tuple[list[Adapted], bool]:
        """Take the next step of the erasure and of the restoration; Bytewax then asks for a snapshot."""
        adapted: list[Adapted] = []
        if self._store is not None:
            self._erasure.step(self._store)
            if self._restoring.is_running:
                self._renew_prior()
                adapted.append(self._restoring.step(self._store, self._rules.prior))
        return adapted, StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Adapted], bool]:
        """Compact at once, so that the last snapshot of the run ends the erasure."""
        if self._store is not None:
            self._erasure.finish(self._store)
        return [], StatefulBatchLogic.RETAIN

    def take_messages(self) -> list[Message]:
        """Return the examples and forgets since the last call, in order."""
        messages, self._messages = self._messages, []
        return messages

    def _count_users(self, store: ShardStore) -> None:
        self._counters.users += len(store) - self._counted_users
        self._counted_users = len(store)

    def _reject(self, o: Observation, reason: Reason, record: Record) -> Reject:
        detail = f"more than {self._rules.lateness_ms / 3_600_000:g} h older than the user's newest event"
        control = ""
        if reason is Reason.WRONG_REGION:
            detail, control = "the user is not known in this region", CONTROL_NAMES[Kind(o.kind)]
        hash_ = sha256(record.value).hexdigest()
        reject = Reject(reason, detail, record.origin, record.position, hash_, self._clock(), control)
        self._counters.count_reject(reject)
        return reject

    def snapshot(self) -> bytes:
        """Return the token of the shard's checkpoint for Bytewax to keep."""
        assert self._store is not None  # noqa: S101  # Bytewax asks after a batch only
        return self._store.snapshot()
