"""The stateful step: a shard's packed observations → writes for Redis, and rejects."""

from collections.abc import Callable

from bytewax.operators import StatefulBatchLogic

from operators.parse import wall_clock_ms
from state.counters import EventCounters, Outcome
from state.observation import Observation, unpack
from state.records import Reason, Reject
from state.signals import Write
from state.store import ShardStore
from state.user import Rules, UserState


class Adapt(StatefulBatchLogic[list[bytes], Write | Reject, bytes]):
    """One shard's people. Every observation gets its count here; what is news of a batch is written once per person."""

    def __init__(
        self,
        store: ShardStore,
        rules: Rules,
        counters: EventCounters,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._store = store
        self._rules = rules
        self._counters = counters
        self._clock = clock
        self._counted_users = 0
        self._count_users()

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[Write | Reject], bool]:
        """Take in the observations in order, and return what is to be written and what is rejected."""
        touched, rejects = self.observe(values)
        return [*self.take_writes(touched), *rejects], StatefulBatchLogic.RETAIN

    def observe(self, values: list[list[bytes]]) -> tuple[dict[bytes, UserState], list[Reject]]:
        """Take in the observations, and return the people they changed, and the rejects."""
        touched: dict[bytes, UserState] = {}
        rejects: list[Reject] = []
        outcomes = self._counters.outcomes
        for packed in values:
            for data in packed:
                o = unpack(data)
                state = touched.get(o.user) or self._store.get(o.user) or UserState()
                outcome = state.observe(o, self._rules)
                if isinstance(outcome, Reason):
                    rejects.append(self._reject(o, outcome))
                    continue
                outcomes[outcome] += 1
                if outcome is Outcome.ACCEPTED:
                    touched[o.user] = state
        for user, state in touched.items():
            self._store.put(user, state)
        self._count_users()
        return touched, rejects

    def take_writes(self, touched: dict[bytes, UserState]) -> list[Write]:
        """Return what is news of these people, put into words."""
        catalogue = self._rules.catalogue
        return [write for user, state in touched.items() for write in state.take_writes(user, catalogue)]

    def _count_users(self) -> None:
        self._counters.users += len(self._store) - self._counted_users
        self._counted_users = len(self._store)

    def _reject(self, o: Observation, reason: Reason) -> Reject:
        self._counters.rejects[reason] += 1
        hours = self._rules.lateness_ms / 3_600_000
        detail = f"more than {hours:g} h older than the person's newest event"
        return Reject(reason, detail, o.origin, o.position, o.sha256.hex(), self._clock())

    def snapshot(self) -> bytes:
        """Return the shard as bytes for Bytewax to keep."""
        return self._store.snapshot()
