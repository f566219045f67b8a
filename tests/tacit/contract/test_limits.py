"""tacit/contract/limits: limits derived from a signal, compared with those of its decision."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.learning.decisions import Beliefs, decide, find, limits
from state.learning.signals import learned_signal
from tacit.contract.limits import APPLY_FROM, HINT_FROM, Limit, limited_by
from tacit.contract.signals import Signal, Tier
from tests.state.learning.test_decisions import FORMAT, confident
from tests.state.learning.test_decisions_limits import some_beliefs
from tests.support.factories import CATALOGUE, START_MS
from tests.support.sample_signals import signal


@given(some_beliefs())
@example(confident(0.81))
def test_derived_limits_hold_for_the_decision(beliefs: Beliefs) -> None:
    """Every tier below `apply` has a limit; confidences that rounding moves across a bound are left out."""
    decision = decide(beliefs, FORMAT)
    assume(all(abs(decision.confidence - bound) > 0.001 for bound in (HINT_FROM, APPLY_FROM)))
    known = limits(beliefs, FORMAT, decision)
    derived = limited_by(learned_signal(CATALOGUE, find(beliefs, FORMAT, decision, START_MS, 1)))
    assert set(derived) <= set(known)
    assert bool(derived) == bool(known)


@given(st.floats(0.62, 0.999), st.booleans())
def test_derived_limits_are_complete_without_a_change_of_taste(confidence: float, informative: bool) -> None:
    """The confidence would give a tier above `default`."""
    beliefs = confident(confidence)
    if not informative:
        beliefs.prior.uninformative = frozenset([FORMAT])
        beliefs.table.uninformative[FORMAT] = 1
    decision = decide(beliefs, FORMAT)
    assume(abs(decision.confidence - APPLY_FROM) > 0.001)
    derived = limited_by(learned_signal(CATALOGUE, find(beliefs, FORMAT, decision, START_MS, 1)))
    assert derived == limits(beliefs, FORMAT, decision)


def test_pin_has_no_limits() -> None:
    """Its tier is `apply`."""
    assert limited_by(signal("concise", START_MS, source="user")) == ()


@pytest.mark.parametrize(
    ("tier", "confidence", "value", "expected"),
    [
        ("apply", 0.9, "concise", ()),
        ("hint", 0.7, "concise", ("too_little_evidence",)),
        ("hint", 0.7, "balanced", ("default_is_better",)),
        ("default", 0.9, "concise", ("uninformative_facet",)),
        ("default", 0.7, "concise", ("uninformative_facet", "too_little_evidence")),
        ("default", 0.5, "balanced", ("default_is_better",)),
    ],
)
def test_members_name_the_limits(tier: Tier, confidence: float, value: str, expected: tuple[Limit, ...]) -> None:
    """The default of the facet is "balanced"."""
    assert limited_by(_signal(tier, confidence, value)) == expected


def _signal(tier: Tier, confidence: float, value: str) -> Signal:
    learned = signal(value, START_MS, source="learned")
    return replace(learned, tier=tier, confidence=confidence, default="balanced")
