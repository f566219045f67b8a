"""Step `prove`: packed answers in, reports of proof out."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from operators.prove import Prove
from state.counters import LearningCounters
from state.learning.example import NOTHING_LOGGED, Forget, pack_example, pack_message
from state.learning.proof_report import ReportWrite, decode_report
from state.learning.proof_trainer import ProofTrainer
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE

PACKED = [pack_example(replace(make_example(n), logged=NOTHING_LOGGED)) for n in range(2_600)]


class Step:
    """The step with a clock of the test."""

    def __init__(self, snapshot: bytes | None = None, *, at_end: bool = False) -> None:
        self.now_ms = 0
        self.counters = LearningCounters()
        trainer = ProofTrainer(CATALOGUE, b"", lambda: CATALOGUE.default_slots, snapshot)
        self.logic = Prove(trainer, self.counters, at_end=at_end, clock=lambda: self.now_ms)

    def take(self, *groups: list[bytes]) -> list[int]:
        """Return the counts of answers in the reports."""
        writes, retained = self.logic.on_batch(list(groups))
        assert not retained
        return answers(writes)


def answers(writes: list[ReportWrite]) -> list[int]:
    return [decode_report(write.report).answers for write in writes]


def test_thousand_answers_make_a_report() -> None:
    """Metrics have the last one."""
    step = Step()
    assert step.take(PACKED[:999]) == []
    assert step.take(PACKED[999:1_500], PACKED[1_500:2_600]) == [1_000, 2_000]
    assert decode_report(step.counters.proof).answers == 2_000


def test_hundred_answers_make_a_report_after_a_minute() -> None:
    """A wake-up comes while answers are unpublished."""
    step = Step()
    assert step.logic.notify_at() is None
    step.take(PACKED[:99])
    at = step.logic.notify_at()
    assert at is not None
    assert timedelta() < at - datetime.now(UTC) <= timedelta(seconds=10)
    step.now_ms += 60_000
    assert answers(step.logic.on_notify()[0]) == []
    assert step.take(PACKED[99:100]) == [100]


def test_end_of_a_replay_makes_a_report() -> None:
    """A live run has no end."""
    for at_end, expected in ((True, [7]), (False, [])):
        step = Step(at_end=at_end)
        step.take(PACKED[:7])
        assert answers(step.logic.on_eof()[0]) == expected


def test_proof_resumes_from_its_snapshot() -> None:
    """A kill loses nothing: the answers after the snapshot come again."""
    step = Step()
    step.take(PACKED[:600])
    snapshot = step.logic.snapshot()
    step.take(PACKED[600:900])
    assert Step(snapshot).take(PACKED[600:1_600]) == [1_600]


def test_forget_and_flood_are_no_answers() -> None:
    """A forget changes no sum; answers above the limit of a user are counted."""
    step = Step(at_end=True)
    one = pack_example(replace(make_example(1), logged=NOTHING_LOGGED))
    step.take([pack_message(Forget(bytes(16)))], [one] * 250)
    assert answers(step.logic.on_eof()[0]) == [200]
    assert step.counters.limited == 50
