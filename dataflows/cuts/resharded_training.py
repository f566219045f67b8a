"""Training of the shards of a cut with another number of shards.

carried exactly    deltas that the population model lacks: it takes them before it takes any others
carried together   votes that shards can take back: a group of shards keeps them (state.learning.vote_sources)
carried restricted sets of contributors, and limits of feedback: a vote and a used limit stay; users with the hashed
                   position of a contributor count as contributors, too
"""

from typing import NamedTuple

from dataflows.cuts.keyed_states import KeyedStates
from dataflows.graph import TRAIN_STEP
from operators.rounds import resharded
from operators.train_state import TrainState, pack_train_state, unpack_train_state
from state.learning.feedback_limit import FeedbackLimit
from state.learning.resharding import joined_training, joins_sets
from state.learning.vote_sources import source_after
from state.storage.shards import overlapping, shard_of


class Carried(NamedTuple):
    """Training that a new cut has."""

    shards: int
    """Shards that had training."""
    examples: int
    """Examples in deltas that the population model had not taken."""
    is_restricted: bool
    """True if some users may have no vote until the next season, as sets of contributors are joined."""


class ReshardedTraining:
    """Training of new shards, from the states of the earlier ones."""

    def __init__(self, states: KeyedStates, key: bytes, shards: int, others: int, lateness_ms: int) -> None:
        """Decrypt the states.

        Args:
            states: states of the earlier shards.
            key: key of the stored states.
            shards: count of the earlier shards.
            others: count of the new shards.
            lateness_ms: greatest lateness of feedback.

        Raises:
            StateError: a state is damaged.
        """
        self._key = key
        self._shards = shards
        self._others = others
        self._lateness_ms = lateness_ms
        self._population = states.population
        self._states = {
            shard: unpack_train_state(state, key) for shard, state in sorted(states.of_shards(TRAIN_STEP).items())
        }
        self._earlier_limits = {
            shard: FeedbackLimit(state.training.limit, shards)
            for shard, state in self._states.items()
            if state.training is not None
        }
        self._limits = {shard: FeedbackLimit(shards=others) for shard in range(others)}

    def carry_limits(self, user: bytes, newest_ms: int, now_ms: int) -> None:
        """Carry the limits of a user, by pseudonym, whose newest event has a time; `now_ms` is that of all users.

        Only hours and weeks in which the user can still give feedback count. Of a user who was wiped by a late event,
        the newest time may be earlier than that of the feedback before.
        """
        earlier = self._earlier_limits.get(shard_of(user, self._shards))
        if earlier is not None:
            limit, lateness_ms = self._limits[shard_of(user, self._others)], self._lateness_ms
            limit.carry(earlier, user, newest_ms - lateness_ms, newest_ms + lateness_ms)
            if now_ms > newest_ms + lateness_ms:
                limit.carry(earlier, user, now_ms - lateness_ms, now_ms)

    def replace_in(self, states: KeyedStates) -> Carried:
        """Replace the training in states, after `carry_limits` of all users.

        Raises:
            StateError: the state of the population model is damaged.
        """
        deltas = [delta for state in self._states.values() for delta in state.deltas]
        states.set_shards(TRAIN_STEP, dict(self._trained()))
        states.population = resharded(
            self._population, self._key, lambda source: source_after(source, self._shards, self._others), deltas
        )
        examples = sum(delta.examples for delta in deltas)
        return Carried(
            len(self._earlier_limits),
            examples,
            is_restricted=joins_sets(self._shards, self._others)
            and any(state.training.contributors for state in self._states.values() if state.training),
        )

    def _trained(self) -> list[tuple[int, bytes]]:
        found = []
        for shard in range(self._others):
            earlier = [
                self._states[other] for other in overlapping(shard, self._others, self._shards) if other in self._states
            ]
            if earlier:
                found.append((shard, pack_train_state(self._joined(shard, earlier), self._key)))
        return found

    def _joined(self, shard: int, earlier: list[TrainState]) -> TrainState:
        stored = [state.training for state in earlier if state.training is not None]
        waiting = [
            message for state in earlier for message in state.waiting if shard_of(message.user, self._others) == shard
        ]
        training = joined_training(stored, self._limits[shard], self._shards, self._others) if stored else None
        return TrainState(shard, training, waiting=waiting)
