"""Chart of the hours of day: bars for a drawing of 24 columns."""

from collections.abc import Sequence
from typing import NamedTuple

HEIGHT = 100
COLUMN = 20
_GAP = 4


class Bar(NamedTuple):
    """Bar of an hour, in units of the drawing."""

    x: int
    y: int
    width: int
    height: int


def bars(hours: Sequence[float]) -> tuple[Bar, ...]:
    """Return a bar per hour; the highest bar fills the drawing, and an hour without turns has a flat bar.

    >>> bars([0.0, 2.0, 1.0])
    (Bar(x=2, y=99, width=16, height=1), Bar(x=22, y=0, width=16, height=100), Bar(x=42, y=50, width=16, height=50))
    """
    most = max(hours, default=0.0) or 1.0
    heights = [max(1, round(HEIGHT * count / most)) for count in hours]
    return tuple(
        Bar(COLUMN * hour + _GAP // 2, HEIGHT - height, COLUMN - _GAP, height) for hour, height in enumerate(heights)
    )


def busiest(hours: Sequence[float], most: int = 3) -> tuple[int, ...]:
    """Return the hours with the most turns, in the order of the day.

    >>> busiest([0.0, 2.0, 0.0, 3.0])
    (1, 3)
    """
    found = sorted((hour for hour, count in enumerate(hours) if count > 0), key=lambda hour: -hours[hour])
    return tuple(sorted(found[:most]))
