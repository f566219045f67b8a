"""Training after a change of the number of shards: no user gets a second vote or a fresh limit."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.learning.contributors import Contributors, bitmap_bytes
from state.learning.delta import Delta
from state.learning.feedback_limit import HOUR_MS, PER_HOUR, FeedbackLimit
from state.learning.population_model import PopulationModel
from state.learning.population_state import pack, unpack, with_sources
from state.learning.resharding import joined_training, union
from state.learning.restored_population import Restored, StoredTraining
from state.learning.shard_training import ShardTraining, StoredShard
from state.learning.stacking import Stacking
from state.learning.vote_sources import has_shard, source_after
from state.storage.shards import overlapping, shard_of
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE, START_MS
from tests.support.shard_stores import pseudonyms

COUNTS = st.integers(1, 256)


@given(st.lists(st.lists(st.integers(0, 0xFFFF), max_size=300), min_size=1, max_size=4), COUNTS, COUNTS)
def test_union_has_every_position_of_its_sets(sets: list[list[int]], shards: int, others: int) -> None:
    """Lists stay exact; a bitmap of another size has every bit that its positions may have."""
    size, new_size = bitmap_bytes(shards), bitmap_bytes(others)
    packed = []
    for positions in sets:
        contributors = Contributors(size=size)
        for position in positions:
            contributors.add(position)
        packed.append(contributors.pack())
    found = Contributors(union(packed, size, new_size), new_size)
    assert all(position in found for positions in sets for position in positions)
    if sum(len(set(positions)) for positions in sets) <= min(32, size // 2 - 1, new_size // 2 - 1):
        assert len(found) == len({position for positions in sets for position in positions})


@given(st.integers(0, 255), COUNTS, COUNTS, COUNTS, st.binary(min_size=2, max_size=2))
def test_source_of_votes_has_the_shards_of_its_users_after_each_change(
    number: int, first: int, second: int, third: int, user: bytes
) -> None:
    shard = shard_of(user, first)
    source = source_after(source_after(shard, first, second), second, third)
    assert has_shard(source, shard_of(user, third))
    assert source_after(shard, first, first) == shard
    if not first % second:
        assert source_after(shard, first, second) == shard_of(user, second)


@given(st.integers(0, 2**16 - 1), COUNTS, COUNTS)
def test_overlapping_shards_are_those_that_a_user_may_come_from(start: int, shards: int, others: int) -> None:
    user = start.to_bytes(2, "little")
    assert shard_of(user, others) in overlapping(shard_of(user, shards), shards, others)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=2_000), COUNTS, COUNTS)
def test_limit_counts_on_in_the_new_shard(feedback: list[tuple[int, int]], shards: int, others: int) -> None:
    """A user is never taken more often than before the change and after it together are allowed."""
    users = pseudonyms(41)
    earlier = {shard: FeedbackLimit(shards=shards) for shard in range(shards)}
    taken: dict[tuple[int, int], int] = {}
    for number, hour in feedback:
        user, repeats = users[number], 20
        limit = earlier[shard_of(user, shards)]
        took = sum(limit.takes(user, START_MS + hour * HOUR_MS) for _ in range(repeats))
        taken[number, hour] = taken.get((number, hour), 0) + took
    later = {shard: FeedbackLimit(shards=others) for shard in range(others)}
    for user in users:
        later[shard_of(user, others)].carry(earlier[shard_of(user, shards)], user, START_MS, START_MS + 3 * HOUR_MS)
    for (number, hour), before in taken.items():
        limit = later[shard_of(users[number], others)]
        after = 0
        while after <= PER_HOUR and limit.takes(users[number], START_MS + hour * HOUR_MS):
            after += 1
        if sum(taken.values()) < 8 * 64:  # a sketch forgets the oldest of very many
            assert before + after <= PER_HOUR


class Shards:
    """Training of all shards, and the population model."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.by_number = {shard: ShardTraining(CATALOGUE, shards=count, shard=shard) for shard in range(count)}
        self.model = PopulationModel()

    def like(self, user: bytes, at_ms: int = START_MS) -> None:
        shard = self.by_number[shard_of(user, self.count)]
        example = make_example(feedback_count=1, at_ms=at_ms)
        shard.learn(type(example)(user, *[getattr(example, name) for name in example.__struct_fields__[1:]]))
        self.merge(shard)

    def forget(self, user: bytes) -> None:
        shard = self.by_number[shard_of(user, self.count)]
        shard.forget(user)
        self.merge(shard)

    def merge(self, shard: ShardTraining) -> None:
        self.model.merge(shard.take())

    def moved_to(self, count: int) -> "Shards":
        after = Shards(count)
        for number, shard in after.by_number.items():
            stored = [self.by_number[other].pack() for other in overlapping(number, count, self.count)]
            shard.restore(joined_training(stored, FeedbackLimit(shards=count), self.count, count))
        restored = Restored(StoredTraining(0, 0, 0, 0), self.model, {}, Stacking(CATALOGUE.facet_names))
        moved = with_sources(pack(restored), b"", lambda source: source_after(source, self.count, count))
        after.model = unpack(moved, b"", CATALOGUE.facet_names, lambda _: False).model
        return after

    @property
    def votes(self) -> int:
        return self.model.features["length=concise"].contributors if "length=concise" in self.model.features else 0


@pytest.mark.parametrize("count", [1, 4, 6, 64])
def test_user_with_a_vote_has_no_second_one_after_the_change(count: int) -> None:
    users = [user[::-1] for user in pseudonyms(15)]
    before = Shards(16)
    for user in users:
        before.like(user)
    assert before.votes == 15
    after = before.moved_to(count)
    for user in users:
        after.like(user)
    assert after.votes == 15
    after.like(bytes([200]) * 16)
    assert after.votes == 16


@pytest.mark.parametrize("count", [1, 4, 6, 64])
def test_forgotten_user_takes_votes_back_that_were_cast_before_the_change(count: int) -> None:
    """Of a feature that is not published, all votes of the user's shards before go."""
    user, other = (2).to_bytes(2, "little") + bytes(14), (3).to_bytes(2, "little") + bytes(13) + b"\1"
    before = Shards(16)
    before.like(user)
    before.like(other)
    after = before.moved_to(count)
    after.forget(user)
    assert after.votes == (0 if count == 1 else 1)
    for feature in after.model.features.values():
        assert not any(has_shard(source, shard_of(user, count)) for source in feature.partials)


def test_joined_training_takes_the_restrictive_side() -> None:
    """Forgotten users of all shards; the latest season alone; no factors where shards have seen different releases."""
    season = START_MS // (182 * 24 * HOUR_MS)
    empty = FeedbackLimit(shards=16).pack()
    old = StoredShard(season - 1, {"tone=formal": b"\1\0"}, empty, [3], 1, {"tone": (0.5, 1)}, [1.0])
    new = StoredShard(season, {"length=concise": b"\2\0"}, empty, [1, 3], 2, {"tone": (0.1, 3)}, [2.0])
    found = joined_training([old, new], FeedbackLimit(shards=4), 16, 4)
    assert (found.season, found.contributors, found.forgotten, found.factors) == (
        season,
        {"length=concise": b"\2\0"},
        [1, 3],
        [],
    )
    part, pieces = found.facets["tone"]
    assert part == pytest.approx(0.2)
    assert pieces == 4
    assert joined_training([new], FeedbackLimit(shards=4), 16, 4).factors == [2.0]


def test_group_of_shards_publishes_with_the_other_votes() -> None:
    """Votes before and after a change count together, each once."""
    model, random = PopulationModel(), Random(1)
    group = source_after(5, 16, 64)
    for source in (group, 5, 21, 6):
        model.merge(Delta(source, 0, votes={"tone=formal": (4, 4, random.random(), 4.0, 4.0, 1.0, 0.0)}))
    assert model.features["tone=formal"].contributors == 16
    model.merge(Delta(21, 0, removed={"tone=formal": 4}))
    assert sorted(model.features["tone=formal"].partials) == [5, 6]
    assert model.features["tone=formal"].contributors == 8
    model.merge(Delta(7, 0, votes={"tone=formal": (12, 12, 6.0, 12.0, 12.0, 1.0, 0.0)}))
    assert model.features["tone=formal"].is_public
