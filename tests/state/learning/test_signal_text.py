"""Tests of rounded numbers in signals; `tests/reference` compares whole signals."""

from hypothesis import given
from hypothesis import strategies as st

from state.learning.signal_text import RoundedText

TEXTS = RoundedText(3, 1_000)


@given(st.floats(-2.0, 2.0) | st.integers(-2_000, 2_000).map(lambda number: number / 1_000))
def test_text_is_that_of_a_rounded_number(number: float) -> None:
    assert TEXTS.of(number) == repr(round(number, 3))


@given(st.integers(-4_001, 4_001), st.integers(-3, 3))
def test_ties_and_their_neighbours_are_rounded_as_by_python(half_steps: int, ulps: int) -> None:
    """A product with 1,000 is rounded itself, and cannot show on which side of a tie a number lies."""
    number = half_steps / 2_000
    number += ulps * abs(number) * 2**-52
    assert TEXTS.of(number) == repr(round(number, 3))


def test_zeros_keep_their_sign() -> None:
    assert [TEXTS.of(number) for number in (0.0, -0.0, 0.0001, -0.0001)] == ["0.0", "-0.0", "0.0", "-0.0"]
