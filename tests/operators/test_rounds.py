"""Keyed step of a bounded run: the deltas of all shards add up in their order, once a round is complete."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from operators.learn_population import LearnPopulation
from operators.rounds import EARLIER_LAYOUT, LAYOUT, REPEAT, Rounds, stored_version, trainer_state, waiting_deltas
from state.counters import LearningCounters
from state.errors import StateError
from state.learning.delta import Delta, pack_deltas
from state.learning.population_prior import Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationWrite
from state.learning.shard_training import ShardTraining
from tests.support.examples import tastes
from tests.support.factories import CATALOGUE
from tests.support.training import delta_of

KEY = b"a key of the population's state"
SHARDS = 3
ROUNDS = 3
EACH = 500


def rounds() -> list[list[Delta]]:
    """Return the deltas of each round, one of each shard."""
    trainings = [ShardTraining(CATALOGUE, KEY, shard=shard) for shard in range(SHARDS)]
    examples, found = tastes(ROUNDS * EACH, users=40), []
    for number in range(ROUNDS):
        part = examples[number * EACH : (number + 1) * EACH]
        of_shards = [[one for one in part if one.user[-1] % SHARDS == shard] for shard in range(SHARDS)]
        deltas = map(delta_of, of_shards, trainings)
        found.append([replace(delta, round=number, is_last=number == ROUNDS - 1) for delta in deltas])
    return found


DELTAS = rounds()


class Step:
    """The step with a real trainer, and the rounds that it opened."""

    def __init__(self, snapshot: bytes | None = None, key: bytes = KEY) -> None:
        self.opened: list[tuple[int, bytes, int]] = []
        trainer = PopulationTrainer(CATALOGUE, KEY)
        if snapshot:
            trainer = PopulationTrainer.unpack(trainer_state(snapshot), CATALOGUE, KEY)
        learn = LearnPopulation(trainer, lambda _: None, LearningCounters(), clock=lambda: 0)
        self.logic: Rounds[PopulationWrite] = Rounds(
            learn, lambda write: write.version, self.open, shards=SHARDS, key=key, snapshot=snapshot
        )

    def open(self, number: int, version: bytes, prior: Prior | None) -> None:
        self.opened.append((number, version, prior.number if prior else 0))

    def take(self, deltas: Sequence[Delta]) -> list[PopulationWrite]:
        writes, retained = self.logic.on_batch(list(deltas))
        assert not retained
        return writes


def undisturbed() -> list[bytes]:
    step = Step()
    return [write.version for deltas in DELTAS for write in step.take(deltas)]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, ROUNDS * SHARDS))
def test_versions_do_not_depend_on_arrival_nor_on_a_kill(random: Random, kill_at: int) -> None:
    """Another order of shards, and a resume between any two deltas, change no byte of a version."""
    step, found, taken = Step(), list[bytes](), 0
    for deltas in DELTAS:
        for delta in random.sample(deltas, SHARDS):
            found += [write.version for write in step.take([delta])]
            taken += 1
            if taken == kill_at:
                step = Step(step.logic.snapshot())
                step.logic.on_notify()
    assert found == undisturbed()


def test_round_is_added_up_once_it_is_complete() -> None:
    """Deltas wait for the last shard; then the next round opens."""
    step = Step()
    *first, last = DELTAS[0]
    assert (step.take(first), step.opened) == ([], [])
    (write,) = step.take([last])
    assert (write.n, step.opened) == (1, [(1, write.version, 1)])


def test_round_without_enough_examples_keeps_the_version() -> None:
    """Each round opens with the newest version; a round of few examples makes none."""
    step = Step()
    (write,) = step.take(DELTAS[0])
    step.take([Delta(shard, 0, round=1) for shard in range(SHARDS)])
    assert step.opened == [(1, write.version, 1), (2, write.version, 1)]


def test_delta_of_a_live_run_before_the_replay_waits_for_the_round() -> None:
    """It ends no round, and counts with the deltas of its shard."""
    step = Step()
    early, *others = DELTAS[0]
    step.take([replace(early, round=-1), *others])
    assert step.opened == []
    (write,) = step.take([Delta(early.shard, 0, round=0)])
    assert write.examples == EACH


def test_resumed_step_opens_its_round_again() -> None:
    """A wake-up comes at once; the version is that of the snapshot."""
    step = Step()
    assert step.logic.notify_at() is None
    (write,) = step.take(DELTAS[0])
    resumed = Step(step.logic.snapshot())
    at = resumed.logic.notify_at()
    assert at is not None
    assert at <= datetime.now(UTC)
    resumed.logic.on_notify()
    assert [(number, version) for number, version, _ in resumed.opened] == [(1, write.version)]


def test_open_round_is_opened_again_from_time_to_time() -> None:
    """The store that all processes share may have lost it."""
    step = Step()
    (write,) = step.take(DELTAS[0])
    for _ in range(2):
        at = step.logic.notify_at()
        assert at is not None
        assert timedelta(0) < at - datetime.now(UTC) <= REPEAT
        step.logic.on_notify()
    assert [(number, version) for number, version, _ in step.opened] == [(1, write.version)] * 3


def test_stored_state_shows_no_waiting_delta() -> None:
    """Without the key, no feature of the open round can be read."""
    step = Step()
    step.take(DELTAS[0][:2])
    snapshot = step.logic.snapshot()
    assert snapshot[0] == LAYOUT
    assert b"length=concise" not in snapshot
    with pytest.raises(StateError, match="encrypted with another secret"):
        Step(snapshot, b"another")


def test_run_without_rounds_takes_the_waiting_deltas() -> None:
    """A replay that stopped within a round may become live: each delta counts once, in the order of shards."""
    step = Step()
    step.take(DELTAS[0][1::-1])
    assert pack_deltas(waiting_deltas(step.logic.snapshot(), KEY)) == pack_deltas(DELTAS[0][:2])
    assert waiting_deltas(PopulationTrainer(CATALOGUE, KEY).pack(), KEY) == []


@pytest.mark.parametrize(("ended", "opened"), [({}, 4), ({"0": SHARDS}, 5)])
def test_state_of_layout_3_continues_without_the_examples_of_its_open_round(ended: dict[str, int], opened: int) -> None:
    """Partitions that have ended the round do not end it again, so the next one opens with the stored version."""
    (write,) = Step().take(DELTAS[0])
    state = PopulationTrainer(CATALOGUE, KEY).pack()
    earlier = msgspec.msgpack.encode((4, write.version, ended, [], b"encrypted examples", state))
    snapshot = bytes([EARLIER_LAYOUT]) + earlier
    assert (trainer_state(snapshot), waiting_deltas(snapshot, KEY)) == (state, [])
    assert stored_version(snapshot) == write.version
    resumed = Step(snapshot)
    resumed.logic.on_notify()
    assert [(number, version) for number, version, _ in resumed.opened] == [(opened, write.version)]


def test_damaged_state_is_an_error() -> None:
    """The error names the remedy."""
    with pytest.raises(StateError, match="restore the state folder"):
        trainer_state(bytes([LAYOUT]) + b"\xc1")


def test_state_of_a_run_without_rounds_is_read() -> None:
    """A live run's state has no open round."""
    state = PopulationTrainer(CATALOGUE, KEY).pack()
    assert trainer_state(state) == state
