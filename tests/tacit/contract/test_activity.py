"""tacit/contract/activity: the table of windows."""

from itertools import pairwise

import pytest

from tacit.contract.activity import DAY_MS, HOUR_MS, WINDOWS, Activity, aged, described

NOW = Activity(5, 17, 80)


def test_table_has_a_window_for_each_member() -> None:
    """Windows are in ascending order, and so are their panes, so that panes end together."""
    assert [(window.member, window.key, window.span_ms) for window in WINDOWS] == [
        ("hour", "1h", HOUR_MS),
        ("day", "24h", DAY_MS),
        ("week", "7d", 7 * DAY_MS),
    ]
    widths = [window.panes.width_ms for window in WINDOWS]
    assert all(wider % width == 0 for width, wider in pairwise(widths))


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [
        (-1, NOW),
        (HOUR_MS - 1, NOW),
        (HOUR_MS, Activity(0, 17, 80)),
        (DAY_MS - 1, Activity(0, 17, 80)),
        (DAY_MS, Activity(0, 0, 80)),
        (7 * DAY_MS, Activity(0, 0, 0)),
    ],
)
def test_passed_windows_are_zero(age_ms: int, expected: Activity) -> None:
    """A window is empty when the clock has passed its span."""
    assert aged(NOW, age_ms) == expected


def test_description_names_each_window() -> None:
    """The views of the command line use the description."""
    assert described(NOW) == "5 in 1 h, 17 in 24 h, 80 in 7 d"
