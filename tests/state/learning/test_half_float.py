"""state/learning/half_float, against `struct`."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.half_float import MOST, from_bits, to_bits


@given(st.floats(-MOST, MOST) | st.floats(-(2.0**-13), 2.0**-13))
def test_bits_are_those_of_struct(number: float) -> None:
    """Rounding and numbers below the smallest normal one included."""
    assert to_bits(number) == int.from_bytes(struct.pack("<e", number), "little")


@pytest.mark.parametrize("number", [0.0, -0.0, MOST, -MOST, 2.0**-24, 2.0**-25, 5e-324])
def test_bits_of_edges_are_those_of_struct(number: float) -> None:
    """Zeros keep their signs."""
    assert to_bits(number) == int.from_bytes(struct.pack("<e", number), "little")


def test_number_between_two_halves_is_rounded_as_by_struct() -> None:
    """Half to even, for all neighbours within the limit."""
    for bits in range(to_bits(MOST)):
        middle = (from_bits(bits) + from_bits(bits + 1)) / 2
        assert to_bits(middle) == bits + (bits & 1)


def test_bits_return_to_their_number() -> None:
    """Each half float within the limit is kept."""
    for bits in range(to_bits(MOST) + 1):
        assert to_bits(from_bits(bits)) == bits
        assert to_bits(from_bits(bits | 0x8000)) == bits | 0x8000
