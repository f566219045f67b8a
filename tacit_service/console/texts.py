"""Filters of the templates: times and counted feedback as texts."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime


def at_time(at_ms: int | None) -> str:
    """Return a time in UTC; a dash for none.

    >>> at_time(1_764_453_600_000), at_time(0)
    ('2025-11-29 22:00 UTC', '–')
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if at_ms else "–"


def counted(kinds: Iterable[tuple[str, int]]) -> str:
    """Return feedback kinds with their counts; a dash for none.

    >>> counted([("thumbs_up", 2), ("shorter", 1)])
    '2 × thumbs up, 1 × shorter'
    """
    return ", ".join(f"{count} × {kind.replace('_', ' ')}" for kind, count in kinds) or "–"


def share(value: float | None, digits: int = 0) -> str:
    """Return a share, 0 to 1, in percent; a dash for none.

    >>> share(0.125, 1), share(None)
    ('12.5 %', '–')
    """
    return "–" if value is None else f"{100 * value:.{digits}f} %"


FILTERS: Mapping[str, Callable[..., str]] = {"at_time": at_time, "counted": counted, "share": share}
"""Name in templates → function."""
