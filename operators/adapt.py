"""The stateful step: a shard's packed observations → writes for Redis, rejects, and examples for the population."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from bytewax.operators import StatefulBatchLogic

from operators.clock import wall_clock_ms
from operators.erasure import ErasureTimer, ErasureTimes
from state.counters import EventCounters, Outcome
from state.events.observation import CONTROL_NAMES, Kind, Observation, unpack
from state.events.records import Reason, Reject, unpack_origin
from state.learning.example import Forget, Message, pack_message
from state.learning.population_prior import CurrentPrior
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.user.absence import RECLAIM_GRACE_MS
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import Write

RECLAIMED_PER_INTERVAL = 125
"""Users per shard and checkpoint interval that are checked: a million in some 80 minutes, at intervals of 10 s."""

DEFAULT_ERASURE = ErasureTimes(within_ms=900_000, checkpoint_ms=10_000)


class Examples(NamedTuple):
    """Examples of a batch for the population, and forgets of users, in the order of the stream."""

    packed: list[bytes]
    """Packed by `state.learning.example.pack_message`."""


Adapted = Write | Reject | Examples


class Adapt(StatefulBatchLogic[list[bytes], Adapted, bytes]):
    """The users of a shard. Each observation is counted here; each user's signals are written once per batch."""

    def __init__(
        self,
        stores: ShardStores,
        rules: Rules,
        counters: EventCounters,
        token: bytes | None = None,
        *,
        shared: CurrentPrior | None = None,
        reclaims: bool = False,
        erasure: ErasureTimes = DEFAULT_ERASURE,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Resume from a snapshot's token, or start with an empty shard.

        Args:
            stores: the shards of the process.
            rules: rules of the deployment.
            counters: counters of the process.
            token: token of the snapshot; None at the first start.
            shared: newest prior of the process; None: the prior of `rules` stays.
            reclaims: frees the state of absent users.
            erasure: limits of the erasure of wiped users' bytes.
            clock: Unix epoch milliseconds, for rejects.
        """
        self._stores = stores
        self._rules = rules
        self._counters = counters
        self._shared = shared
        self._messages: list[Message] = []
        self._reclaims = reclaims
        self._clock = clock
        self._erasure = ErasureTimer(erasure, clock)
        self._counted_users = 0
        self._store: ShardStore | None = None
        """None until the first observation, which names the shard: Bytewax does not pass the key."""
        self._oldest_ms = sys.maxsize
        """Oldest event time in the checkpoint interval."""
        if token is not None:
            self._store = stores.resume(token)
            self._count_users(self._store)

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[Adapted], bool]:
        """Take in the observations in order, and return writes, rejects and examples."""
        touched, rejects = self.observe(values)
        adapted: list[Adapted] = [*self.take_writes(touched), *rejects]
        if messages := self.take_messages():
            adapted.append(Examples([pack_message(message) for message in messages]))
        return adapted, StatefulBatchLogic.RETAIN

    def observe(self, values: list[list[bytes]]) -> tuple[dict[bytes, UserState], list[Reject]]:
        """Take in the observations, and return the changed users and the rejects."""
        observations = [unpack(data) for packed in values for data in packed]
        if self._store is None:
            self._store = self._stores.create(observations[0].user)
        store = self._store
        if self._shared is not None and self._shared.prior is not self._rules.prior:
            self._rules = replace(self._rules, population=self._shared.prior)
        is_new_interval = store.begin_batch()
        touched: dict[bytes, UserState] = {}
        rejects: list[Reject] = []
        wiped: list[bytes] = []
        outcomes = self._counters.outcomes
        for o in observations:
            state = touched.get(o.user) or store.get(o.user) or UserState()
            outcome, example, wipes = state.observe(o, self._rules)
            if wipes:
                wiped.append(o.user)
                if self._rules.teaches:
                    self._messages.append(Forget(o.user))
            if isinstance(outcome, Reason):
                rejects.append(self._reject(o, outcome))
                continue
            outcomes[outcome] += 1
            if outcome is Outcome.ACCEPTED or wipes:
                touched[o.user] = state
                if example is not None:
                    self._messages.append(example)
        for user, state in touched.items():
            store.put(user, state)
        if wiped:
            store.erase(wiped)
            self._erasure.start()
        store.end_batch()
        if self._reclaims:
            self._reclaim(store, min(o.at_ms for o in observations), is_new_interval)
        self._count_users(store)
        return touched, rejects

    def _reclaim(self, store: ShardStore, oldest_ms: int, is_new_interval: bool) -> None:
        """Free some absent users, once in a checkpoint interval, by the oldest event."""
        self._oldest_ms = min(self._oldest_ms, oldest_ms)
        if is_new_interval:
            rules = self._rules
            before_ms, wipes_before_ms = rules.idle_ms + RECLAIM_GRACE_MS, rules.tombstone_ms
            store.reclaim(self._oldest_ms - before_ms, self._oldest_ms - wipes_before_ms, RECLAIMED_PER_INTERVAL)
            self._oldest_ms = oldest_ms

    def notify_at(self) -> datetime | None:
        """Return the time of the erasure's next step, so that a shard without events wakes up."""
        return self._erasure.wake_at(self._store) if self._store is not None else None

    def on_notify(self) -> tuple[list[Adapted], bool]:
        """Take the next step of the erasure; Bytewax then asks for a snapshot."""
        if self._store is not None:
            self._erasure.step(self._store)
        return [], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Adapted], bool]:
        """Compact at once, so that the last snapshot of the run ends the erasure."""
        if self._store is not None:
            self._erasure.finish(self._store)
        return [], StatefulBatchLogic.RETAIN

    def take_messages(self) -> list[Message]:
        """Return the examples and forgets since the last call, in order."""
        messages, self._messages = self._messages, []
        return messages

    def take_writes(self, touched: dict[bytes, UserState]) -> list[Write]:
        """Return the writes that wait for the given users."""
        catalogue = self._rules.catalogue
        return [write for user, state in touched.items() for write in state.take_writes(user, catalogue)]

    def _count_users(self, store: ShardStore) -> None:
        self._counters.users += len(store) - self._counted_users
        self._counted_users = len(store)

    def _reject(self, o: Observation, reason: Reason) -> Reject:
        detail = f"more than {self._rules.lateness_ms / 3_600_000:g} h older than the user's newest event"
        control = ""
        if reason is Reason.WRONG_REGION:
            detail, control = "the user is not known in this region", CONTROL_NAMES[Kind(o.kind)]
        reject = Reject(reason, detail, unpack_origin(o.origin), o.position, o.sha256.hex(), self._clock(), control)
        self._counters.count_reject(reject)
        return reject

    def snapshot(self) -> bytes:
        """Return the token of the shard's checkpoint for Bytewax to keep."""
        assert self._store is not None  # noqa: S101  # Bytewax asks after a batch only
        return self._store.snapshot()
