"""state/learning/decisions: the limits of a tier."""

from collections.abc import Collection
from copy import deepcopy
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from state.learning.decisions import TIERS, Beliefs, decide, limits
from state.learning.population_prior import Prior
from tacit.contract.limits import Limit
from tests.state.learning.test_decisions import FORMAT, believing, confident, prior_of
from tests.support.factories import CATALOGUE
from tests.support.user_models import set_mean

LIMITS: tuple[Limit, ...] = get_args(Limit)
SURE = {"too_little_evidence", "default_is_better"}
"""Limits that more evidence removes."""


@st.composite
def some_beliefs(draw: st.DrawFn) -> Beliefs:
    """Return a strategy for beliefs about formats, informative or not."""
    means = draw(st.lists(st.floats(-0.5, 0.5, width=32), min_size=4, max_size=4))
    prior = prior_of("format") if draw(st.booleans()) else prior_of()
    return believing(*means, prior=prior)


def without(beliefs: Beliefs, removed: Collection[str]) -> Beliefs:
    """Return the beliefs with these limits removed."""
    own = deepcopy(beliefs.own)
    if SURE & set(removed):
        best = decide(beliefs, FORMAT).slot
        set_mean(own, best, own.means[best] + 100.0)
    return Beliefs(own, prior_of() if "uninformative_facet" in removed else beliefs.prior)


def limits_of(beliefs: Beliefs) -> tuple[Limit, ...]:
    return limits(beliefs, FORMAT, decide(beliefs, FORMAT))


def tier_of(beliefs: Beliefs) -> str:
    return TIERS[decide(beliefs, FORMAT).tier]


@given(some_beliefs())
@example(confident(0.8))
def test_tier_is_below_apply_exactly_if_something_limits_it(beliefs: Beliefs) -> None:
    """The limits come from the same numbers as the tier."""
    assert (tier_of(beliefs) == "apply") == (limits_of(beliefs) == ())


@given(some_beliefs())
def test_removing_the_limits_raises_the_tier_to_apply(beliefs: Beliefs) -> None:
    """Each of them is needed: as long as one holds, the tier stays below `apply`."""
    found = set(limits_of(beliefs))
    assert tier_of(without(beliefs, found)) == "apply"
    for limit in found:
        assert tier_of(without(beliefs, found - {limit})) != "apply"


@pytest.mark.parametrize(
    ("beliefs", "expected"),
    [
        (confident(0.7), ("too_little_evidence",)),
        (believing(0.01, 0.0, 0.0, 0.0), ("default_is_better",)),
        (believing(0.0, -9.0, 3.0, -9.0, prior=prior_of("format")), ("uninformative_facet",)),
        (confident(0.9), ()),
    ],
)
def test_each_limit_has_its_case(beliefs: Beliefs, expected: tuple[Limit, ...]) -> None:
    """The first value of the facet is the catalogue's default."""
    assert Prior(CATALOGUE).default_slots[FORMAT] == CATALOGUE.facet_slots[FORMAT][0]
    assert limits_of(beliefs) == expected
