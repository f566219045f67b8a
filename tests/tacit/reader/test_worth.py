"""tacit/reader/worth: the expected value of information of a question."""

from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tacit.contract.signals import Signal
from tacit.reader.worth import MIN_WORTH, SPREAD_UNKNOWN, worth_of_asking
from tests.support.sample_signals import NOW_MS, signal


def _signal(confidence: float, gap: float) -> Signal:
    return replace(signal("concise", NOW_MS), confidence=confidence, gap=gap)


@given(st.floats(0.55, 0.95), st.floats(0.01, 0.19))
def test_worth_is_the_mean_loss_of_the_wrong_value(confidence: float, spread: float) -> None:
    """Measured on drawn differences, of which a share of `confidence` is in favour of the value."""
    mean = NormalDist().inv_cdf(confidence) * spread
    random = Random(7)
    losses = [max(0.0, -random.gauss(mean, spread)) for _ in range(20_000)]
    expected = sum(losses) / len(losses)
    assert worth_of_asking(_signal(confidence, mean)) == pytest.approx(expected, abs=0.03 * spread)


@given(st.floats(0, 1), st.floats(-1, 1))
def test_worth_is_bounded(confidence: float, gap: float) -> None:
    """By that of a facet of which nothing is known."""
    assert 0 <= worth_of_asking(_signal(confidence, gap)) <= worth_of_asking(None) + 1e-12


@given(st.floats(0.5, 0.99), st.floats(0.5, 0.99), st.floats(0.001, 0.2))
def test_doubt_is_worth_more(one: float, other: float, gap: float) -> None:
    """Of two facets with the same gap, the less sure one."""
    low, high = sorted((one, other))
    assert worth_of_asking(_signal(low, gap)) >= worth_of_asking(_signal(high, gap)) - 1e-9


def test_unknown_facet_is_worth_a_question_and_a_sure_one_is_not() -> None:
    """A pin has no confidence, and is never asked about."""
    assert worth_of_asking(None) == worth_of_asking(_signal(0.5, 0.0)) == SPREAD_UNKNOWN * NormalDist().pdf(0)
    assert worth_of_asking(None) > MIN_WORTH > worth_of_asking(_signal(0.85, 0.1))
