"""state/learning/choice_tally: each answer goes into the arms of its choices."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from state.learning.bucketed import Arms
from state.learning.choice_tally import ChoiceTally
from state.learning.confidence_reliability import ConfidenceReliability
from state.learning.logged_choices import LoggedChoice, is_sampled
from state.learning.off_policy import OffPolicy
from tests.support.factories import CATALOGUE

LENGTH = CATALOGUE.facet_index["length"]
CONCISE, BALANCED, _ = CATALOGUE.facet_slots[LENGTH]
CONFIDENCES = array("f", [0.7] * len(CATALOGUE.facets)).tobytes()
ENTRIES = st.sampled_from(
    [(CONCISE, 0.94, BALANCED), (BALANCED, 0.045, BALANCED), (BALANCED, 0.036, BALANCED), (CONCISE, 1.0, BALANCED)]
)
ANSWERS = st.lists(st.tuples(st.integers(0, 63), st.integers(0, 10**13), st.booleans(), st.floats(0, 1), ENTRIES))


def tally() -> tuple[ChoiceTally, Arms]:
    arms = Arms()
    return ChoiceTally(CATALOGUE, OffPolicy(CATALOGUE, arms), ConfidenceReliability(CATALOGUE, arms)), arms


@given(ANSWERS)
def test_tally_adds_to_the_arms_of_the_estimators(
    answers: list[tuple[int, int, bool, float, tuple[int, float, int]]],
) -> None:
    """Looking up once makes no difference; preferred values are those of a sample."""
    tallied, arms = tally()
    expected = Arms()
    off_policy, confidence = OffPolicy(CATALOGUE, expected), ConfidenceReliability(CATALOGUE, expected)
    for bucket, at_ms, liked, p, entry in answers:
        tallied.add(bucket, at_ms, liked, p, [entry], (), CONFIDENCES)
        choice = LoggedChoice(*entry)
        if choice.is_preferred and not is_sampled(at_ms):
            continue
        if arm := off_policy.arm_of(LENGTH, choice):
            arm.add(bucket, liked, choice.weight)
        if pair := confidence.arms_of(LENGTH, choice, 0.7):
            pair[0].add(bucket, liked, choice.weight)
            pair[1].liked[bucket] += choice.weight * p
    assert {name: arm.pack() for name, arm in arms.items()} == {name: arm.pack() for name, arm in expected.items()}


def test_preferred_values_are_sampled_evenly_at_any_resolution_of_time() -> None:
    """Producers may round times to seconds or minutes."""
    for step_ms in (1, 1_000, 60_000):
        tallied, arms = tally()
        for number in range(4_000):
            tallied.add(
                0, 1_795_297_000_000 + number * step_ms, True, 0.5, [(CONCISE, 0.94, BALANCED)], (), CONFIDENCES
            )
        assert 900 <= arms["off_policy length followed"].n <= 1_100


def test_narrowed_feedback_counts_for_its_facets() -> None:
    """Other facets have no part in it."""
    tallied, arms = tally()
    tallied.add(0, 0, True, 0.5, [(BALANCED, 0.045, BALANCED)], [LENGTH + 1], CONFIDENCES)
    assert not any(arm.n for arm in arms.values())
