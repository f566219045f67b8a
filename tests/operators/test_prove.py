"""Step `prove`: deltas with answers in, reports of proof out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from operators.prove import Prove
from state.counters import LearningCounters
from state.learning.delta import Delta
from state.learning.example import NOTHING_LOGGED, Example
from state.learning.proof_report import ReportWrite, decode_report
from state.learning.proof_trainer import ProofTrainer
from state.learning.shard_training import ShardTraining
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE
from tests.support.training import delta_of

ANSWERS = [replace(make_example(n), logged=NOTHING_LOGGED) for n in range(2_600)]


def delta(answers: Sequence[Example]) -> Delta:
    """Return the delta of a shard without training."""
    return delta_of(answers, ShardTraining(CATALOGUE, teaches=False))


class Step:
    """The step with a clock of the test."""

    def __init__(self, snapshot: bytes | None = None) -> None:
        self.now_ms = 0
        self.counters = LearningCounters()
        trainer = ProofTrainer(CATALOGUE, b"", snapshot)
        self.logic = Prove(trainer, self.counters, clock=lambda: self.now_ms)

    def take(self, *groups: Sequence[Example]) -> list[int]:
        """Return the counts of answers in the reports."""
        writes, retained = self.logic.on_batch([delta(group) for group in groups])
        assert not retained
        return answers(writes)


def answers(writes: list[ReportWrite]) -> list[int]:
    return [decode_report(write.report).answers for write in writes]


def test_thousand_answers_make_a_report() -> None:
    """Metrics have the last one."""
    step = Step()
    assert step.take(ANSWERS[:999]) == []
    assert step.take(ANSWERS[999:1_500], ANSWERS[1_500:2_600]) == [1_500, 2_600]
    assert decode_report(step.counters.proof).answers == 2_600


def test_hundred_answers_make_a_report_after_a_minute() -> None:
    """A wake-up comes while answers are unpublished."""
    step = Step()
    assert step.logic.notify_at() is None
    step.take(ANSWERS[:99])
    at = step.logic.notify_at()
    assert at is not None
    assert timedelta() < at - datetime.now(UTC) <= timedelta(seconds=10)
    step.now_ms += 60_000
    assert answers(step.logic.on_notify()[0]) == []
    assert step.take(ANSWERS[99:100]) == [100]


def test_last_round_makes_a_report() -> None:
    """Other rounds need a thousand answers."""
    step = Step()
    assert answers(step.logic.train_round([delta(ANSWERS[:999])], is_last=False)) == []
    assert answers(step.logic.train_round([delta(ANSWERS[:1])], is_last=False)) == [1_000]
    assert answers(step.logic.train_round([delta(ANSWERS[:7])], is_last=True)) == [1_007]
    assert answers(step.logic.train_round([], is_last=True)) == []


def test_proof_resumes_from_its_snapshot() -> None:
    """A kill loses nothing: the answers after the snapshot come again."""
    step = Step()
    step.take(ANSWERS[:600])
    snapshot = step.logic.snapshot()
    step.take(ANSWERS[600:900])
    assert Step(snapshot).take(ANSWERS[600:1_600]) == [1_600]
