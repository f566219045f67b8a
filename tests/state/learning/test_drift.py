"""Drift detector: the changes that River's own class finds."""

from hypothesis import given
from hypothesis import strategies as st
from river import drift

from state.learning.drift import DriftDetector

LEVELS = st.lists(st.tuples(st.floats(0, 4), st.integers(1, 200)), min_size=1, max_size=6)
"""Numbers as (level, how many)."""


@given(LEVELS, st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=20))
def test_changes_are_those_of_river(levels: list[tuple[float, int]], noise: list[float]) -> None:
    """Also after a change, when both begin again."""
    ours, theirs = DriftDetector(), drift.ADWIN()
    for level, n in levels:
        for place in range(n):
            number = level + noise[place % len(noise)]
            theirs.update(number)
            assert ours.update(number) == theirs.drift_detected
