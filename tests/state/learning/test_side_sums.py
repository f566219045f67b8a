"""state/learning/side_sums, against sums of plain floats."""

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.preferences import KEPT
from state.learning.side_sums import KEPT_PER_MILLE, PER_WEIGHT, add, undo
from state.row.row import Columns

PIECES = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 100), st.integers(1, 3600)), max_size=300)
"""Side, weight in hundredths, and seconds since the piece before."""


def new(supported: int = 0, opposed: int = 0) -> Columns[int]:
    """Return the sums of two rows with one value each, as a row has them; `held` reads the second row."""
    return cast("Columns[int]", memoryview(cast("bytes", np.array([[0, 0], [supported, opposed]], np.uint16))))


def held(sums: Columns[int]) -> list[int]:
    assert (sums[0, 0], sums[0, 1]) == (0, 0), "the other row changed"
    return [sums[1, 0], sums[1, 1]]


def test_sums_age_as_the_beliefs() -> None:
    """The share is that of a mean."""
    assert round(1000 * KEPT, 9) == KEPT_PER_MILLE


@given(PIECES)
def test_sums_are_those_of_plain_floats(pieces: list[tuple[int, int, int]]) -> None:
    """Rounding errors do not add up."""
    sums, exact, at_s = new(), [0.0, 0.0], 0
    for side, hundredths, pause in pieces:
        at_s += pause
        add(sums, 1, side, hundredths * PER_WEIGHT // 100, at_s)
        exact = [KEPT * total for total in exact]
        exact[side] += hundredths / 100
    assert [total / PER_WEIGHT for total in held(sums)] == pytest.approx(exact, abs=0.1)


@given(PIECES, st.integers(0, 1), st.integers(1, 100), st.integers(0, 5000))
def test_undone_piece_leaves_the_sums(
    pieces: list[tuple[int, int, int]], side: int, hundredths: int, pause: int
) -> None:
    """Within one unit of each sum."""
    sums, at_s = new(), 0
    for its_side, its_hundredths, its_pause in pieces:
        at_s += its_pause
        add(sums, 1, its_side, its_hundredths * PER_WEIGHT // 100, at_s)
    before = held(sums)
    for change in (add, undo):
        change(sums, 1, side, hundredths * PER_WEIGHT // 100, at_s + pause)
    assert held(sums) == pytest.approx(before, abs=1)


def test_sums_have_room_for_any_history() -> None:
    """A sum converges within 16 bits."""
    sums = new()
    for at_s in range(5_000):
        add(sums, 1, 0, PER_WEIGHT, at_s)
    assert sums[1, 0] / PER_WEIGHT == pytest.approx(1 / (1 - KEPT), rel=0.01)


def test_last_unit_fades_away() -> None:
    """A small sum does not stand still."""
    sums = new(60)
    for at_s in range(5_000):
        add(sums, 1, 1, 1, at_s)
    assert sums[1, 0] == 0
