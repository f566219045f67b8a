"""Step `learn_population`: deltas in, population versions out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from operators.learn_population import LearnPopulation
from state.counters import LearningCounters
from state.learning.challenger import Challenger, Challengers
from state.learning.delta import Delta
from state.learning.example import Forget, Message, pack_message
from state.learning.population_prior import Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationWrite, decode_version
from state.learning.shard_training import ShardTraining
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE
from tests.support.training import delta_of

EXAMPLES: Sequence[Message] = tastes(2_600, users=40)
MINUTE_MS = 60_000
KEPT = {"bias", "default:length=concise", "judged:0", "length=concise", "popularity:0"}
"""Features of an answer without its item."""


class Step:
    """The step with a clock of the test, and the priors that it shared."""

    def __init__(self, trainer: PopulationTrainer | None = None, *, newest: int = 0) -> None:
        self.now_ms = 0
        self.shared: list[Prior] = []
        self.counters = LearningCounters()
        self.logic = LearnPopulation(
            trainer or PopulationTrainer(CATALOGUE),
            self.shared.append,
            self.counters,
            newest=newest,
            clock=lambda: self.now_ms,
        )
        self.shard = ShardTraining(CATALOGUE)

    def delta(self, messages: Sequence[Message]) -> Delta:
        return delta_of(messages, self.shard, self.logic.prior)

    def take(self, *groups: Sequence[Message]) -> list[PopulationWrite]:
        writes, retained = self.logic.on_batch([self.delta(group) for group in groups])
        assert not retained
        return writes

    def notify(self) -> list[PopulationWrite]:
        return self.logic.on_notify()[0]

    def train_round(self, messages: Sequence[Message], *, is_last: bool = False) -> list[PopulationWrite]:
        return self.logic.train_round([self.delta(messages)], is_last=is_last)


@pytest.fixture
def step() -> Step:
    return Step()


def examples_of(writes: list[PopulationWrite]) -> list[int]:
    """Return the examples behind each version."""
    return [decode_version(write.version).examples for write in writes]


def test_young_population_makes_a_version_of_250_examples(step: Step) -> None:
    """A delta makes one version at most."""
    assert step.take(EXAMPLES[:249]) == []
    writes = step.take(EXAMPLES[249:250])
    writes += step.take(EXAMPLES[250:400], EXAMPLES[400:600], EXAMPLES[600:750])
    assert [write.n for write in writes] == [1, 2]
    assert examples_of(writes) == [250, 600]
    assert [prior.number for prior in step.shared] == [1, 2]


def test_thousand_examples_make_a_version_after_five_thousand(step: Step) -> None:
    """Beliefs of many examples move slowly."""
    groups = [EXAMPLES[start : start + 50] for start in range(0, 2_600, 50)] * 3
    assert examples_of(step.take(*groups)) == [*range(250, 5_001, 250), 6_000, 7_000]


def test_hundred_examples_make_a_version_after_a_minute(step: Step) -> None:
    """Fewer examples and a shorter time make no version; each version starts the minute again."""
    assert step.take(EXAMPLES[:100]) == []
    step.now_ms += MINUTE_MS - 1
    assert step.notify() == []
    step.now_ms += 1
    assert [write.n for write in step.notify()] == [1]
    step.take(EXAMPLES[100:199])
    step.now_ms += MINUTE_MS
    assert step.notify() == []
    assert [write.n for write in step.take(EXAMPLES[199:200])] == [2]
    step.take(EXAMPLES[200:300])
    assert step.notify() == []


def test_step_is_notified_only_with_unpublished_examples(step: Step) -> None:
    """The wake-up comes within 10 s."""
    assert step.logic.notify_at() is None
    step.take(EXAMPLES[:1])
    at = step.logic.notify_at()
    assert at is not None
    assert timedelta() < at - datetime.now(UTC) <= timedelta(seconds=10)
    step.take(EXAMPLES[1:250])
    assert step.logic.notify_at() is None


@pytest.mark.parametrize(
    ("is_last", "examples", "versions"),
    [(True, 100, 1), (True, 99, 0), (False, 249, 0), (False, 250, 1), (False, 600, 1)],
)
def test_round_makes_a_version_at_its_end(is_last: bool, examples: int, versions: int, step: Step) -> None:
    """250 examples are due in any round, and 100 in the last one; the wall clock has no influence."""
    step.now_ms += MINUTE_MS
    writes = step.train_round(EXAMPLES[:examples], is_last=is_last)
    assert examples_of(writes) == [examples] * versions


def test_numbers_continue_above_published_ones() -> None:
    """The namespace may have versions, and the trainer may have published some."""
    step = Step(newest=41)
    (write,) = step.take(EXAMPLES[:250])
    assert (write.n, step.counters.version) == (42, 42)
    resumed = Step(PopulationTrainer.unpack(step.logic.snapshot(), CATALOGUE), newest=7)
    (write,) = resumed.take(EXAMPLES[250:500])
    assert write.n == 43


def test_resumed_step_counts_the_version_that_it_has() -> None:
    """The metric of a restart without a new version is that of before, and not 0."""
    step = Step(newest=41)
    step.take(EXAMPLES[:300])
    resumed = Step(PopulationTrainer.unpack(step.logic.snapshot(), CATALOGUE), newest=45)
    assert resumed.take(EXAMPLES[300:310]) == []
    assert resumed.counters.version == 42


def test_scores_are_counted(step: Step) -> None:
    """The scores are those of the last version, which needs enough users."""
    step.take(EXAMPLES[:300])
    assert (step.counters.version, step.counters.scores) == (1, None)
    step.take(EXAMPLES[300:1_700], EXAMPLES[1_700:2_200])
    assert step.counters.version == 3
    assert step.counters.scores is not None
    assert step.counters.scores.n == 2_200


@pytest.mark.parametrize("restart_at", range(9))
def test_restart_changes_no_digit(restart_at: int) -> None:
    """The trainer continues from its snapshot."""
    groups = [EXAMPLES[start : start + 300] for start in range(0, 2_600, 300)]
    step, whole, found = Step(), list[bytes](), list[bytes]()
    for group in groups:
        whole += [write.version for write in step.take(group)]
    step = Step()
    for number, group in enumerate(groups):
        if number == restart_at:
            trainer, shard = PopulationTrainer.unpack(step.logic.snapshot(), CATALOGUE), step.shard
            if found:
                trainer.adopt(decode_version(found[-1]))
            step = Step(trainer)
            step.shard = shard
        found += [write.version for write in step.take(group)]
    assert found == whole
    assert len(found) == 8


def test_extreme_numbers_do_not_stop_the_step(step: Step) -> None:
    """Weights of 0, wrong certainty and a user with many items raise no error."""
    sure = [replace(make_example(n, liked=False, p=1.0), weight=0.0) for n in range(30)]
    items = [make_example(n % 6, item=n + 1) for n in range(1_000)]
    assert len(step.take([*sure, *items])) == 1


def test_forget_comes_in_the_order_of_the_stream(step: Step) -> None:
    """Examples before the forget leave no trace; later examples count, in the same and in another batch."""
    one = make_example(1, item=7)
    step.take([one, Forget(one.user), replace(one, item=8)])
    assert set(step.logic._trainer._population.features) == KEPT | {"item:00000008"}
    step.take([Forget(one.user)])
    assert step.logic._trainer._population.features == {}


def test_challengers_take_the_messages_of_deltas() -> None:
    """A version has their figures."""
    challenger = Challenger("river.linear_model.LogisticRegression", None, 1.0)
    counters = LearningCounters()
    logic = LearnPopulation(
        PopulationTrainer(CATALOGUE), lambda _: None, counters,
        challengers=Challengers([challenger], lambda *_: None), clock=lambda: 0,
    )  # fmt: skip
    messages = EXAMPLES[:1_000]
    logic.on_batch([replace(delta_of(messages), messages=[pack_message(message) for message in messages])])
    (scores,) = counters.challengers
    assert scores.loss is not None
    assert scores.loss.n == 1_000
    logic.on_batch([Delta(0, 0, messages=[pack_message(Forget((1).to_bytes(16, "big")))])])
    assert challenger.scores().restarts == 1
