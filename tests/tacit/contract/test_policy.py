"""tacit/contract/policy: propensities are exact, and none is tiny."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.contract.catalogue import Exploration, Facet
from tacit.contract.policy import MAX_EXPLORE, MIN_PROPENSITY, explore_share, may_explore, propensities
from tacit.contract.signals import Tier

VALUES = tuple("abcdefgh")


@st.composite
def policies(draw: st.DrawFn) -> tuple[str, str | None, tuple[str, ...], float]:
    """Arguments of `propensities`."""
    values = VALUES[: draw(st.integers(2, len(VALUES)))]
    value, runner_up = draw(st.sampled_from(values)), draw(st.none() | st.sampled_from(values))
    return value, runner_up, values, draw(st.floats(0, 1))


@given(policies())
def test_propensities_sum_to_one_and_none_is_tiny(policy: tuple[str, str | None, tuple[str, ...], float]) -> None:
    """The preferred value is served at least half of the time."""
    found = propensities(*policy)
    assert fsum(found.values()) == 1.0
    assert all(MIN_PROPENSITY <= propensity <= 1 for propensity in found.values())
    assert found[policy[0]] >= 1 - MAX_EXPLORE
    assert set(found) <= set(policy[2])


@given(policies())
def test_runner_up_has_most_of_the_exploration(policy: tuple[str, str | None, tuple[str, ...], float]) -> None:
    """Three quarters, or all where the other values would have less than 0.01 each."""
    value, runner_up, values, explore = policy
    found = propensities(*policy)
    tried = 1 - found[value]
    assert tried == 0 or tried == pytest.approx(min(explore, MAX_EXPLORE), abs=1e-4)
    if tried and runner_up not in (None, value):
        others = [propensity for name, propensity in found.items() if name not in (value, runner_up)]
        assert found[runner_up or ""] == pytest.approx(0.75 * tried if others else tried, abs=1e-4)
        assert len(others) in (0, len(values) - 2)
        assert len(set(others)) <= 1


def test_exploration_below_the_least_propensity_is_left_out() -> None:
    """A value that is tried in fewer than one of a hundred conversations would have a weight above 100."""
    assert propensities("a", "b", ("a", "b"), 0.0099) == {"a": 1.0}
    assert propensities("a", None, ("a", "b", "c"), 0.0199) == {"a": 1.0}
    assert propensities("a", "b", ("a", "b", "c"), 0.0399) == pytest.approx({"a": 0.9601, "b": 0.0399}, abs=1e-5)
    assert propensities("a", "b", ("a", "b", "c"), 0.0401).keys() == {"a", "b", "c"}


@given(st.floats(0.5, 1))
def test_exploration_is_a_fifth_of_the_doubt(confidence: float) -> None:
    """From a tenth of the conversations to none."""
    assert explore_share(confidence) == pytest.approx(0.2 * (1 - confidence))
    assert 0 <= explore_share(confidence) <= 0.1


@pytest.mark.parametrize(
    ("explore", "tier", "expected"),
    [
        ("free", "apply", True),
        ("free", "default", True),
        ("hints", "apply", False),
        ("hints", "hint", True),
        ("never", "default", False),
    ],
)
def test_facet_permits_the_exploration(explore: Exploration, tier: Tier, expected: bool) -> None:
    """Facets with several values and careful facets never do."""
    facet = Facet("Tone", ("formal", "friendly"), explore=explore)
    assert may_explore(facet, tier) is expected
    assert not may_explore(Facet("Tone", ("formal", "friendly"), explore=explore, careful=True), tier)
    assert not may_explore(Facet("Tone", ("formal", "friendly"), explore=explore, multiple=True), tier)
