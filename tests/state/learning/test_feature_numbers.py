"""Numbers of features: the same features as by name, and the same votes."""

from math import fsum

from hypothesis import given
from hypothesis import strategies as st

from state.events.observation import NONE
from state.learning import feature_numbers as module
from state.learning.feature_numbers import FeatureNumbers
from state.learning.features import POPULARITY_STEPS, Features
from state.learning.known_features import KnownFeatures
from state.learning.shard_votes import ShardVotes, VotedFeature
from tests.support.factories import CATALOGUE

NAMES = Features(CATALOGUE)
TOPICS, SURFACES = len(CATALOGUE.topic_index), len(CATALOGUE.surface_index)

ANSWERS = st.tuples(
    st.lists(st.integers(0, len(CATALOGUE.slots) - 1), unique=True).map(sorted),
    st.integers(NONE, TOPICS),
    st.integers(NONE, SURFACES),
    st.sampled_from((0, 1, 2, 0xFFFFFFFF)),
    st.integers(0, 255),
    st.integers(0, len(POPULARITY_STEPS) + 1),
)


def number(numbers: FeatureNumbers, answer: tuple[list[int], int, int, int, int, int]) -> list[str]:
    """Return the names behind the numbers of an answer."""
    slots, topic, surface, item, feedback_count, popularity = answer
    numbers.begin()
    numbers.add_common(item, feedback_count, popularity)
    numbers.add_values(slots, topic, surface)
    return [numbers.name(numbers.number(place)) for place in range(numbers.count)]


@given(st.lists(ANSWERS, max_size=5))
def test_numbers_name_the_features_of_an_answer(answers: list[tuple[list[int], int, int, int, int, int]]) -> None:
    """Topics and surfaces that the catalogue does not have, or that are sensitive, have no features."""
    numbers = FeatureNumbers(CATALOGUE, NAMES)
    for answer in answers:
        assert number(numbers, answer) == NAMES.of_answer(*answer)


def test_default_has_a_number() -> None:
    """It is another one than the value's."""
    numbers = FeatureNumbers(CATALOGUE, NAMES)
    numbers.begin()
    numbers.add_default(0)
    assert numbers.name(numbers.number(0)) == NAMES.of_default(0)


def test_items_above_the_limit_get_new_numbers() -> None:
    """The memory of numbers is bounded; another generation has other meanings."""
    numbers = FeatureNumbers(CATALOGUE, NAMES)
    for item in range(1, module.MAX_LATER + 1):
        numbers.begin()
        numbers.add_common(item, 0, 1)
    assert numbers.generation == 0
    assert "item:00000005" in number(numbers, ([], NONE, NONE, 5, 0, 1))
    assert numbers.generation == 1


@given(st.lists(st.tuples(ANSWERS, st.integers(0, 40), st.booleans(), st.booleans()), max_size=20))
def test_votes_by_number_are_votes_by_name(
    events: list[tuple[tuple[list[int], int, int, int, int, int], int, bool, bool]],
) -> None:
    """Forgets remove features in between."""
    votes, reference = ShardVotes(b"key"), ShardVotes(b"key")
    known = KnownFeatures(votes, FeatureNumbers(CATALOGUE, NAMES))
    for answer, user, liked, forgets in events:
        hashed = (user + 1) * 0x9E3779B97F4A7C15 % 2**64
        if forgets:
            votes.forget(hashed)
            reference.forget(hashed)
        number(known.numbers, answer)
        names = NAMES.of_answer(*answer)
        assert known.expect() == (0.0, fsum([reference.belief(name)[1] for name in names]))
        votes.vote(hashed, known.take(), [], liked, 0.1, 1.2, 1.0)
        reference.vote(hashed, [reference.add(name) for name in names], [], liked, 0.1, 1.2, 1.0)
        assert votes.contributors() == reference.contributors()
    assert votes.take() == reference.take()


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_position_is_a_part_of_the_product(user: int, salt: int) -> None:
    """The product of two 64-bit numbers has 128 bits; compiled numbers have 64."""
    assert VotedFeature("bias", salt | 1, 512).position(user) == (user * (salt | 1) >> 64) & 0xFFFF
