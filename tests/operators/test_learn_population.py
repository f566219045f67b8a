"""Step `learn_population`: packed examples in, population versions out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from operators.learn_population import LearnPopulation
from state.counters import LearningCounters
from state.learning.challenger import Challenger, Challengers
from state.learning.example import Forget, pack_example, pack_message
from state.learning.population_prior import Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationWrite, decode_version
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE

PACKED = [pack_example(example) for example in tastes(2_600, users=40)]
MINUTE_MS = 60_000
KEPT = {"bias", "default:length=concise", "judged:0", "length=concise", "popularity:0"}
"""Features of an answer without its item."""


class Step:
    """The step with a clock of the test, and the priors that it shared."""

    def __init__(self, trainer: PopulationTrainer | None = None, *, newest: int = 0, at_end: bool = False) -> None:
        self.now_ms = 0
        self.shared: list[Prior] = []
        self.counters = LearningCounters()
        self.logic = LearnPopulation(
            trainer or PopulationTrainer(CATALOGUE),
            self.shared.append,
            self.counters,
            newest=newest,
            at_end=at_end,
            clock=lambda: self.now_ms,
        )

    def take(self, *groups: list[bytes]) -> list[PopulationWrite]:
        writes, retained = self.logic.on_batch(list(groups))
        assert not retained
        return writes

    def notify(self) -> list[PopulationWrite]:
        return self.logic.on_notify()[0]

    def end(self) -> list[PopulationWrite]:
        return self.logic.on_eof()[0]


@pytest.fixture
def step() -> Step:
    return Step()


def examples_of(writes: list[PopulationWrite]) -> list[int]:
    """Return the examples behind each version."""
    return [decode_version(write.version).examples for write in writes]


def test_young_population_makes_a_version_of_250_examples(step: Step) -> None:
    """The size of the batches has no influence."""
    assert step.take(PACKED[:249]) == []
    writes = step.take(PACKED[249:250])
    writes += step.take(PACKED[250:400], PACKED[400:600], PACKED[600:750])
    assert [write.n for write in writes] == [1, 2, 3]
    assert examples_of(writes) == [250, 500, 750]
    assert [prior.number for prior in step.shared] == [1, 2, 3]


def test_thousand_examples_make_a_version_after_five_thousand(step: Step) -> None:
    """Beliefs of many examples move slowly."""
    writes = step.take(PACKED, PACKED, PACKED)
    assert examples_of(writes) == [*range(250, 5_001, 250), 6_000, 7_000]


def test_hundred_examples_make_a_version_after_a_minute(step: Step) -> None:
    """Fewer examples and a shorter time make no version; each version starts the minute again."""
    assert step.take(PACKED[:100]) == []
    step.now_ms += MINUTE_MS - 1
    assert step.notify() == []
    step.now_ms += 1
    assert [write.n for write in step.notify()] == [1]
    step.take(PACKED[100:199])
    step.now_ms += MINUTE_MS
    assert step.notify() == []
    assert [write.n for write in step.take(PACKED[199:200])] == [2]
    step.take(PACKED[200:300])
    assert step.notify() == []


def test_step_is_notified_only_with_unpublished_examples(step: Step) -> None:
    """The wake-up comes within 10 s."""
    assert step.logic.notify_at() is None
    step.take(PACKED[:1])
    at = step.logic.notify_at()
    assert at is not None
    assert timedelta() < at - datetime.now(UTC) <= timedelta(seconds=10)
    step.take(PACKED[1:250])
    assert step.logic.notify_at() is None


@pytest.mark.parametrize(("at_end", "examples", "versions"), [(True, 100, 1), (True, 99, 0), (False, 200, 0)])
def test_end_of_history_publishes_the_rest(at_end: bool, examples: int, versions: int) -> None:
    """A live run has no end, and 100 examples are the minimum."""
    step = Step(at_end=at_end)
    step.take(PACKED[:examples])
    assert len(step.end()) == versions


def test_numbers_continue_above_published_ones() -> None:
    """The namespace may have versions, and the trainer may have published some."""
    step = Step(newest=41)
    (write,) = step.take(PACKED[:250])
    assert (write.n, step.counters.version) == (42, 42)
    resumed = Step(PopulationTrainer.unpack(step.logic.snapshot(), CATALOGUE), newest=7)
    (write,) = resumed.take(PACKED[250:500])
    assert write.n == 43


def test_examples_and_scores_are_counted(step: Step) -> None:
    """The scores are those of the last version, which needs enough users."""
    step.take(PACKED[:300])
    assert (step.counters.examples, step.counters.version, step.counters.scores) == (300, 1, None)
    step.take(PACKED[300:1_700], PACKED[1_700:2_200])
    assert (step.counters.examples, step.counters.version) == (2_200, 8)
    assert step.counters.scores is not None
    assert step.counters.scores.n == 2_000


def cut(sizes: Iterator[int]) -> Iterator[list[bytes]]:
    start = 0
    while start < len(PACKED):
        size = next(sizes)
        yield PACKED[start : start + size]
        start += size


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=10), st.integers(0, 10))
def test_versions_depend_on_examples_only(sizes: list[int], restart_at: int) -> None:
    """Batches and restarts change no digit of the beliefs."""
    whole = [decode_version(write.version).features for write in Step().take(PACKED)]
    step, found = Step(), list[object]()
    for number, group in enumerate(cut(sizes[n % len(sizes)] for n in count())):
        if number == restart_at:
            step = Step(PopulationTrainer.unpack(step.logic.snapshot(), CATALOGUE))
        found += [decode_version(write.version).features for write in step.take(group)]
    assert found == whole
    assert len(found) == 10


def test_extreme_numbers_do_not_stop_the_step(step: Step) -> None:
    """Weights of 0, wrong certainty and a user with many items raise no error."""
    sure = [replace(make_example(n, liked=False, p=1.0), weight=0.0) for n in range(30)]
    items = [make_example(n % 6, item=n + 1) for n in range(1_000)]
    assert len(step.take([pack_example(example) for example in [*sure, *items]])) == 4


def test_examples_above_the_limits_are_counted(step: Step) -> None:
    """200 per user and hour."""
    step.take([pack_example(make_example(1)) for _ in range(5_000)])
    assert (step.counters.examples, step.counters.limited) == (200, 4_800)


def test_forget_comes_in_the_order_of_the_stream(step: Step) -> None:
    """Examples before the forget leave no trace; later examples count, in the same and in another batch."""
    one = make_example(1, item=7)
    forget, after = pack_message(Forget(one.user)), pack_example(replace(one, item=8))
    step.take([pack_example(one), forget, after])
    assert set(step.logic._trainer._population.features) == KEPT | {"item:00000008"}
    step.take([forget])
    assert step.logic._trainer._population.features == {}


def test_challengers_take_the_examples_of_the_trainer() -> None:
    """A version has their figures; an example above the limits of its user reaches neither."""
    challenger = Challenger("river.linear_model.LogisticRegression", None, 1.0)
    counters = LearningCounters()
    logic = LearnPopulation(
        PopulationTrainer(CATALOGUE), lambda _: None, counters,
        challengers=Challengers([challenger], lambda *_: None), clock=lambda: 0,
    )  # fmt: skip
    logic.on_batch([PACKED[:1_000]])
    (scores,) = counters.challengers
    assert scores.loss is not None
    assert scores.loss.n == counters.examples == 1_000
    logic.on_batch([[pack_message(Forget((1).to_bytes(16, "big")))]])
    assert challenger.scores().restarts == 1
    one_user = [pack_example(make_example(1)) for _ in range(300)]
    logic.on_batch([one_user])
    found = challenger.scores().loss
    assert found is not None
    assert found.n == counters.examples < 1_300
