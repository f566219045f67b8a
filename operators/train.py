"""The training step of a shard: feedback of its users → deltas for the population model.

The step has the keys of `adapt`, so it runs in the same process, and its examples are never packed.

live:    examples train as they come; a delta leaves after `DELTA_EXAMPLES`, or within `DELTA_AFTER_MS`
bounded: the examples of a round wait until all partitions have ended it in the shard, then train in the order of users

The order in which examples of different users arrive depends on the number of processes. Sorted by pseudonym, it does
not: the examples of one user arrive in the order of the stream.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import msgspec
from bytewax.operators import StatefulBatchLogic

from operators.adapt import Examples
from operators.clock import wall_clock_ms
from operators.train_state import TrainState, pack_train_state, unpack_train_state
from state.counters import LearningCounters
from state.events.records import RoundEnd
from state.learning.delta import Delta
from state.learning.example import Forget, Message, pack_message
from state.learning.population_prior import CurrentPrior
from state.learning.shard_training import ShardTraining
from state.storage.shards import shard_of

DELTA_EXAMPLES = 64
DELTA_AFTER_MS = 1_000

EnterRound = Callable[[int], object]
"""Take over the prior of a round."""


_by_user = attrgetter("user")


class TrainShard(StatefulBatchLogic[Examples | RoundEnd, Delta, bytes]):
    """The training of one shard as a dataflow step."""

    def __init__(
        self,
        training: ShardTraining,
        shared: CurrentPrior,
        counters: LearningCounters,
        *,
        shards: int,
        key: bytes,
        snapshot: bytes | None = None,
        enter_round: EnterRound | None = None,
        keeps_messages: bool = False,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """Continue with a snapshot, or begin without feedback.

        Args:
            training: training without feedback.
            shared: newest prior of the process.
            counters: counters of the process.
            shards: count of shards.
            key: key of the stored state.
            snapshot: state of `snapshot`.
            enter_round: sets `shared` to the prior of a round of a bounded run; None: the run has no rounds.
            keeps_messages: deltas have the messages, too, for challengers.
            clock: Unix epoch milliseconds.

        Raises:
            StateError: the snapshot is damaged, or its open round was encrypted with another key.
        """
        self._training = training
        self._shared = shared
        self._counters = counters
        self._shards = shards
        self._key = key
        self._enter_round = enter_round
        self._keeps_messages = keeps_messages
        self._clock = clock
        self._packed: list[bytes] = []
        """Messages since the last delta, for challengers."""
        self._deltas: list[Delta] = []
        """Deltas of a snapshot that no step has yet."""
        self._sent_ms = clock()
        self._waiting: list[Message] = []
        """Messages of the open round, those of a user in order."""
        self._round = 0
        self._ended: set[str] = set()
        """Partitions that have ended the round."""
        self._finished: set[str] = set()
        """Partitions without further records. After a resume, each of them ends the open round again."""
        if snapshot is not None:
            self._restore(snapshot)

    def _restore(self, snapshot: bytes) -> None:
        stored = unpack_train_state(snapshot, self._key)
        if stored.training is not None:
            self._training.restore(stored.training)
        self._deltas, self._waiting = list(stored.deltas), list(stored.waiting)
        self._training.shard, self._round = stored.shard, stored.round
        self._ended = set(stored.ended) - set(stored.finished)

    def on_batch(self, values: list[Examples | RoundEnd]) -> tuple[list[Delta], bool]:
        """Take examples, and the ends of a round; return the deltas that are due."""
        deltas = self._take_deltas()
        for value in values:
            if isinstance(value, RoundEnd):
                if self._is_complete_with(value):
                    deltas.append(self._train_round(value))
            elif self._enter_round is not None:
                self._waiting += value.messages
            else:
                self._train([*self._take_waiting(), *value.messages])
        if self._enter_round is None and self._is_due():
            deltas.append(self._delta())
        return deltas, StatefulBatchLogic.RETAIN

    def _is_complete_with(self, end: RoundEnd) -> bool:
        """Note the end of a partition, and return whether all partitions have ended the round.

        An end of a later round than the open one follows an update from a version that counted the ends elsewhere.
        """
        if end.is_last:
            self._finished.add(end.partition)
        if end.round < self._round:
            return False
        if end.round > self._round:
            self._round, self._ended = end.round, set()
        self._ended.add(end.partition)
        return len(self._ended | self._finished) == end.partitions

    def _train_round(self, end: RoundEnd) -> Delta:
        assert self._enter_round is not None  # noqa: S101  # only a bounded run has ends of rounds
        self._enter_round(end.round)
        self._training.shard = end.shard
        self._train(self._take_waiting())
        self._round, self._ended = end.round + 1, set()
        delta = self._delta()
        return msgspec.structs.replace(delta, round=end.round, is_last=len(self._finished) == end.partitions)

    def _take_waiting(self) -> list[Message]:
        """Return the messages of the open round in the order of users; a live run may continue a bounded one."""
        if not self._waiting:
            return []
        waiting, self._waiting = sorted(self._waiting, key=_by_user), []
        return waiting

    def _train(self, messages: Sequence[Message]) -> None:
        training, counters = self._training, self._counters
        training.use(self._shared.prior)
        if messages:
            training.shard = shard_of(messages[0].user, self._shards)
        for message in messages:
            if isinstance(message, Forget):
                training.forget(message.user)
            elif training.learn(message):
                counters.examples += 1
            else:
                counters.limited += 1
                continue
            if self._keeps_messages:
                self._packed.append(pack_message(message))

    def _is_due(self) -> bool:
        if not self._training.is_waiting:
            return False
        return self._training.examples >= DELTA_EXAMPLES or self._clock() - self._sent_ms >= DELTA_AFTER_MS

    def _delta(self) -> Delta:
        delta = self._training.take()
        if self._packed:
            delta, self._packed = msgspec.structs.replace(delta, messages=self._packed), []
        self._sent_ms = self._clock()
        return delta

    def _take_deltas(self) -> list[Delta]:
        deltas, self._deltas = self._deltas, []
        return deltas

    def notify_at(self) -> datetime | None:
        """Request a wake-up for the next delta: at once after a resume."""
        if self._deltas:
            return datetime.now(UTC)
        if self._enter_round is None and (self._training.is_waiting or self._waiting):
            return datetime.now(UTC) + timedelta(milliseconds=DELTA_AFTER_MS)
        return None

    def on_notify(self) -> tuple[list[Delta], bool]:
        """Return everything that waits in a live run."""
        return self._all_of_live_run(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Delta], bool]:
        """Return everything that waits in a live run."""
        return self._all_of_live_run(), StatefulBatchLogic.RETAIN

    def _all_of_live_run(self) -> list[Delta]:
        deltas = self._take_deltas()
        if self._enter_round is None:
            self._train(self._take_waiting())
            if self._training.is_waiting:
                deltas.append(self._delta())
        return deltas

    def snapshot(self) -> bytes:
        """Return the state for Bytewax; all that concerns users is encrypted."""
        if self._training.is_waiting:
            self._deltas.append(self._delta())
        return pack_train_state(
            TrainState(
                self._training.shard, self._training.pack(), self._deltas, self._waiting,
                self._round, list(self._ended), list(self._finished),
            ),
            self._key,
        )  # fmt: skip
