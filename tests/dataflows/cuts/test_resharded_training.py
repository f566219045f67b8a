"""Training of another number of shards: pending deltas count once, limits stay used, and damage is found."""

import pytest
from msgspec.structs import replace

from dataflows.cuts.keyed_states import KeyedStates
from dataflows.cuts.resharded_training import ReshardedTraining
from dataflows.graph import TRAIN_STEP
from operators.adapt import Examples
from operators.learn_population import LearnPopulation
from operators.rounds import trainer_state, waiting_deltas
from operators.train import TrainShard
from operators.train_state import unpack_train_state
from state.counters import LearningCounters
from state.errors import StateError
from state.learning.delta import Delta
from state.learning.example import Example, Forget
from state.learning.feedback_limit import HOUR_MS, PER_HOUR
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.shard_training import ShardTraining
from state.storage.shards import shard_of
from tests.support.examples import tastes
from tests.support.factories import CATALOGUE, START_MS
from tests.support.shard_stores import pseudonyms

KEY = b"a key of the population's state"
NAMES = pseudonyms(30)
EXAMPLES = [replace(one, user=NAMES[int.from_bytes(one.user, "big")]) for one in tastes(400, users=30)]
LATENESS_MS = 24 * HOUR_MS


class Run:
    """Training steps of all shards, and the step with the population model."""

    def __init__(self, shards: int, states: KeyedStates | None = None) -> None:
        states = states or KeyedStates()
        self.counters = LearningCounters()
        self.shards = shards
        snapshots = states.of_shards(TRAIN_STEP)
        self.steps = {shard: self._build(shard, snapshots.get(shard)) for shard in range(shards)}
        snapshot = states.population
        state = trainer_state(snapshot) if snapshot else b""
        self.trainer = PopulationTrainer.unpack(state, CATALOGUE, KEY) if state else PopulationTrainer(CATALOGUE, KEY)
        self.learn = LearnPopulation(self.trainer, lambda _: None, self.counters, clock=lambda: 0)
        self.learn.merge(waiting_deltas(snapshot, KEY) if snapshot else [])

    def _build(self, shard: int, snapshot: bytes | None) -> TrainShard:
        return TrainShard(
            ShardTraining(CATALOGUE, KEY, shards=self.shards, shard=shard),
            CurrentPrior(Prior(CATALOGUE)),
            self.counters,
            shards=self.shards,
            key=KEY,
            snapshot=snapshot,
            clock=lambda: 0,
        )

    def take(self, message: Example | Forget) -> None:
        deltas, _ = self.steps[shard_of(message.user, self.shards)].on_batch([Examples([message])])
        self.merge(deltas)

    def merge(self, deltas: list[Delta]) -> None:
        self.learn.merge(deltas)

    def flush(self) -> None:
        """Merge all that waits."""
        for step in self.steps.values():
            self.merge(step.on_notify()[0])

    def states(self, *, has_population: bool = True) -> KeyedStates:
        states = KeyedStates()
        states.set_shards(TRAIN_STEP, {shard: step.snapshot() for shard, step in self.steps.items()})
        states.population = self.learn.snapshot() if has_population else None
        return states

    def moved_to(self, shards: int, *, has_population: bool = True) -> "Run":
        states = self.states(has_population=has_population)
        training = ReshardedTraining(states, KEY, self.shards, shards, LATENESS_MS)
        newest_ms = max(one.at_ms for one in EXAMPLES)
        for user, at_ms in {one.user: one.at_ms for one in EXAMPLES}.items():
            training.carry_limits(user, at_ms, newest_ms)
        training.replace_in(states)
        return Run(shards, states)

    @property
    def votes(self) -> dict[str, int]:
        return {name: one.contributors for name, one in self.trainer._population.features.items()}


@pytest.mark.parametrize("shards", [1, 4, 6, 64])
@pytest.mark.parametrize("merged", [0, 200, 400])
def test_deltas_that_wait_count_once(shards: int, merged: int) -> None:
    """Some are in the population model, the others in the states of shards, at a snapshot."""
    whole = Run(16)
    for number, one in enumerate(EXAMPLES):
        whole.take(one)
        if number == merged:
            whole.flush()
    moved = whole.moved_to(shards)
    whole.flush()
    moved.flush()
    assert moved.trainer.examples == whole.trainer.examples == len(EXAMPLES)
    assert moved.votes == whole.votes


def test_deltas_before_the_first_state_of_the_model_count_once() -> None:
    """All wait in the states of shards; the model begins as it would have begun without the change."""
    run = Run(16)
    for one in EXAMPLES[:50]:
        run.steps[shard_of(one.user, 16)].on_batch([Examples([one])])
    moved = run.moved_to(4, has_population=False)
    run.flush()
    assert moved.trainer.examples == run.trainer.examples == 50
    assert moved.votes == run.votes


@pytest.mark.parametrize("shards", [4, 64])
def test_votes_and_limits_of_before_count_after_the_change(shards: int) -> None:
    """The same feedback again moves no vote, and a user at the limit of an hour stays there."""
    run, heavy = Run(16), EXAMPLES[0]
    for one in EXAMPLES:
        run.take(one)
    for _ in range(PER_HOUR):
        run.take(heavy)
    run.flush()
    votes, examples = run.votes, run.trainer.examples
    moved = run.moved_to(shards)
    moved.take(heavy)
    moved.flush()
    assert moved.trainer.examples == examples
    for one in EXAMPLES:
        moved.take(one)
    moved.flush()
    assert moved.votes == votes


@pytest.mark.parametrize("shards", [4, 64])
def test_forget_after_the_change_takes_waiting_votes_back(shards: int) -> None:
    """The votes wait in the states of the earlier shards, and the forget comes first thing after the change."""
    one = next(one for one in EXAMPLES if shard_of(one.user, 16) != shard_of(one.user, shards))
    run = Run(16)
    run.take(one)
    moved = run.moved_to(shards)
    assert moved.votes
    moved.take(Forget(one.user))
    moved.flush()
    assert set(moved.votes.values()) <= {0}


def test_state_of_another_secret_keeps_nothing_and_damage_is_an_error() -> None:
    """As in a run, whose training begins again then."""
    run = Run(16)
    run.take(replace(EXAMPLES[0], at_ms=START_MS))
    run.flush()
    states = run.states()
    other = ReshardedTraining(states, b"another key", 16, 4, LATENESS_MS)
    assert other.replace_in(states)._asdict() == {"shards": 0, "examples": 0, "is_restricted": False}
    assert all(unpack_train_state(state, KEY).training is None for state in states.of_shards(TRAIN_STEP).values())
    states.set_shards(TRAIN_STEP, {0: b"\1damaged"})
    with pytest.raises(StateError, match="the state of a shard's training is damaged"):
        ReshardedTraining(states, KEY, 16, 4, LATENESS_MS)
