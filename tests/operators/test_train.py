"""Training step of a shard: examples in, deltas out."""

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from operators.adapt import Examples
from operators.train import DELTA_AFTER_MS, DELTA_EXAMPLES, TrainShard
from state.counters import LearningCounters
from state.errors import StateError
from state.events.records import RoundEnd
from state.learning.delta import Delta, pack_delta, unpack_delta
from state.learning.example import Example, Forget, Message, pack_message
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.shard_training import ShardTraining
from state.storage.shards import shard_of
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE
from tests.support.sample_population import version
from tests.support.training import delta_of

KEY = b"a key of the population's state"
SHARDS = 16
SHARD = 11
PARTITIONS = ("0", "1")
EXAMPLES = [replace(one, user=bytes([SHARD, *one.user[1:]])) for one in tastes(600, users=30)]

Item = Examples | RoundEnd


class Step:
    """The step with a clock of the test."""

    def __init__(self, snapshot: bytes | None = None, *, bounded: bool = False, **options: bool) -> None:
        self.now_ms = 0
        self.counters = LearningCounters()
        self.shared = CurrentPrior(Prior(CATALOGUE))
        self.entered: list[int] = []
        self.logic = TrainShard(
            ShardTraining(CATALOGUE, KEY, shards=SHARDS),
            self.shared,
            self.counters,
            shards=SHARDS,
            key=KEY,
            snapshot=snapshot,
            enter_round=self.entered.append if bounded else None,
            clock=lambda: self.now_ms,
            **options,
        )

    def take(self, *items: Item) -> list[Delta]:
        deltas, retained = self.logic.on_batch(list(items))
        assert not retained
        return deltas

    def notify(self) -> list[Delta]:
        return self.logic.on_notify()[0]


def end(partition: str, number: int = 0, *, is_last: bool = False) -> RoundEnd:
    return RoundEnd(partition, len(PARTITIONS), number, is_last, SHARD)


def learned(messages: Sequence[Message]) -> Delta:
    """Return the delta of a shard that trains with messages in this order."""
    return delta_of(messages, ShardTraining(CATALOGUE, KEY, shards=SHARDS, shard=SHARD))


# Live


def test_delta_leaves_after_enough_examples() -> None:
    """It has the number of its shard, and the next one begins without sums."""
    assert shard_of(EXAMPLES[0].user, SHARDS) == SHARD
    step = Step()
    assert step.take(Examples([*EXAMPLES[: DELTA_EXAMPLES - 1]])) == []
    (delta,) = step.take(Examples([EXAMPLES[DELTA_EXAMPLES - 1]]))
    exchanged = pickle.loads(pickle.dumps(delta))  # noqa: S301  as Bytewax does
    assert exchanged == unpack_delta(pack_delta(delta))
    assert delta == learned(EXAMPLES[:DELTA_EXAMPLES])
    assert step.counters.examples == DELTA_EXAMPLES
    step.now_ms += DELTA_AFTER_MS
    (after,) = step.take(Examples([EXAMPLES[DELTA_EXAMPLES]]))
    assert after.examples == 1


def test_delta_leaves_within_a_second() -> None:
    """The wake-up comes only while something waits."""
    step = Step()
    assert step.logic.notify_at() is None
    step.take(Examples([EXAMPLES[0]]))
    at = step.logic.notify_at()
    assert at is not None
    assert timedelta() < at - datetime.now(UTC) <= timedelta(milliseconds=DELTA_AFTER_MS)
    assert [delta.examples for delta in step.notify()] == [1]
    assert step.logic.notify_at() is None
    assert step.notify() == []


def test_end_of_the_source_sends_what_waits() -> None:
    """A forget alone waits, too."""
    step = Step()
    step.take(Examples([Forget(EXAMPLES[0].user)]))
    (delta,) = step.logic.on_eof()[0]
    assert (delta.examples, delta.stacking is not None) == (0, True)


@pytest.mark.parametrize("cut", [1, 30, 63])
def test_delta_of_a_snapshot_leaves_once(cut: int) -> None:
    """The sums are in the snapshot, and after a resume they leave at once."""
    step = Step()
    step.take(Examples([*EXAMPLES[:cut]]))
    snapshot = step.logic.snapshot()
    for logic in (step, Step(snapshot)):
        at = logic.logic.notify_at()
        assert at is not None
        assert [delta.examples for delta in logic.notify()] == [cut]
        assert logic.notify() == []


def test_votes_of_a_user_count_once_over_a_restart() -> None:
    """Contributors, limits and the season are in the snapshot."""
    step = Step()
    step.take(Examples([*EXAMPLES[:300]]))
    resumed = Step(step.logic.snapshot())
    resumed.notify()
    (delta,) = resumed.take(Examples([*EXAMPLES[:300]]))
    assert delta.votes == {}
    assert delta.examples == 300


def test_examples_above_the_limits_are_counted() -> None:
    """200 per user and hour; challengers do not get them."""
    step = Step(keeps_messages=True)
    one = make_example(1)
    (delta,) = step.take(Examples([one] * 300))
    assert (step.counters.examples, step.counters.limited) == (200, 100)
    assert list(delta.messages) == [pack_message(one)] * 200


def test_predictions_are_those_of_the_newest_prior() -> None:
    """Votes are residuals of its beliefs."""
    step = Step()
    plain = learned(EXAMPLES[:DELTA_EXAMPLES])
    step.shared.prior = Prior(CATALOGUE, version(3))
    (delta,) = step.take(Examples([*EXAMPLES[:DELTA_EXAMPLES]]))
    assert delta.votes.keys() == plain.votes.keys()
    assert delta.votes != plain.votes


# Bounded


def test_round_trains_once_all_partitions_have_ended_it() -> None:
    """Examples wait; a shard without any has a delta, too."""
    step = Step(bounded=True)
    assert step.take(Examples([*EXAMPLES[:200]]), end("0")) == []
    assert step.counters.examples == 0
    (delta,) = step.take(end("1"))
    assert (delta.shard, delta.round, delta.is_last, delta.examples) == (SHARD, 0, False, 200)
    (empty,) = step.take(end("0", 1, is_last=True), end("1", 1, is_last=True))
    assert (empty.shard, empty.round, empty.is_last, empty.examples) == (SHARD, 1, True, 0)
    assert step.entered == [0, 1]
    assert step.logic.notify_at() is None


def by_user(examples: Sequence[Example], random: Random) -> list[Item]:
    """Return the examples one by one as another number of processes brings them: those of a user in order."""
    of_users: dict[bytes, list[Example]] = {}
    for example in examples:
        of_users.setdefault(example.user, []).append(example)
    found: list[Item] = []
    while remaining := [parts for parts in of_users.values() if parts]:
        found.append(Examples([random.choice(remaining).pop(0)]))
    return found


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 205))
def test_delta_does_not_depend_on_arrival_nor_on_a_kill(random: Random, kill_at: int) -> None:
    """Another order of users and partitions, and a resume between any two items, change no number."""
    (expected,) = Step(bounded=True).take(Examples([*EXAMPLES[:200]]), end("0"), end("1"))
    step, found = Step(bounded=True), list[Delta]()
    items = [*by_user(EXAMPLES[:200], random), *random.sample([end("0"), end("1")], 2)]
    for number, item in enumerate(items):
        if number == kill_at:
            step = Step(step.logic.snapshot(), bounded=True)
        found += step.take(item)
    (delta,) = found
    assert replace(delta, votes=dict(sorted(delta.votes.items()))) == replace(
        expected, votes=dict(sorted(expected.votes.items()))
    )
    assert list(delta.votes) == list(expected.votes)


def test_finished_partition_takes_no_part_in_later_rounds() -> None:
    """The others go through theirs."""
    step = Step(bounded=True)
    deltas = step.take(end("0", is_last=True), end("1"), end("1", 1), end("1", 2, is_last=True))
    assert [(delta.round, delta.is_last) for delta in deltas] == [(0, False), (1, False), (2, True)]


def test_finished_partition_ends_the_open_round_again_after_a_resume() -> None:
    """It may have further records, so its earlier end does not count."""
    step = Step(bounded=True)
    step.take(end("0", is_last=True))
    resumed = Step(step.logic.snapshot(), bounded=True)
    assert resumed.take(end("1")) == []
    assert [delta.round for delta in resumed.take(end("0", is_last=True))] == [0]


def test_later_round_replaces_one_that_an_earlier_version_had_begun() -> None:
    """That version counted the ends in another step, so some never come again."""
    step = Step(bounded=True)
    assert step.take(Examples([*EXAMPLES[:10]]), end("0", 4), end("1", 5)) == []
    assert [(delta.round, delta.examples) for delta in step.take(end("0", 5))] == [(5, 10)]


def test_live_run_trains_with_the_waiting_messages_of_a_replay() -> None:
    """A replay that stopped within a round may become live."""
    step = Step(bounded=True)
    step.take(Examples([*EXAMPLES[:10]]), end("0"))
    live = Step(step.logic.snapshot())
    assert live.logic.notify_at() is not None
    assert [delta.examples for delta in live.notify()] == [10]


def test_stored_state_shows_no_user_without_the_key() -> None:
    """With another key, the votes of a live run begin again, and the open round of a replay is an error."""
    step = Step(bounded=True)
    step.take(Examples([*EXAMPLES[:100]]))
    snapshot = step.logic.snapshot()
    assert not any(example.user in snapshot for example in EXAMPLES[:100])
    assert b"length=concise" not in snapshot
    training = ShardTraining(CATALOGUE)
    with pytest.raises(StateError, match="encrypted with another secret"):
        TrainShard(
            training, step.shared, step.counters, shards=SHARDS, key=b"other", snapshot=snapshot,
            enter_round=step.entered.append,
        )  # fmt: skip


def test_damaged_state_is_an_error() -> None:
    """The error names the remedy."""
    with pytest.raises(StateError, match="restore the state folder"):
        Step(b"\1\xc1")
