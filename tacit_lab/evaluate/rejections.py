"""Rejected records of an evaluated stream: their reasons, and a warning where they are a good part of it."""

from collections import Counter
from typing import NamedTuple

from state.events.records import Reject

LOUD_FROM = 0.05
"""Share of rejected records from which figures are about another stream than the given one."""

_TOP = 3
_MAX_DETAILS = 1_000
"""Different details that are counted; others count without their detail."""


class Cause(NamedTuple):
    """Reason and detail of rejects, and their count."""

    reason: str
    detail: str
    """Path of the member and the rule; empty: various."""
    n: int

    def __str__(self) -> str:
        return f"{self.reason} {self.detail}".strip() + f" ({self.n:,})"


class Rejections:
    """Counts of rejects."""

    def __init__(self) -> None:
        self._causes: Counter[tuple[str, str]] = Counter()

    def add(self, reject: Reject) -> None:
        """Count a reject."""
        cause = (str(reject.reason), reject.detail)
        if cause not in self._causes and len(self._causes) >= _MAX_DETAILS:
            cause = (str(reject.reason), "")
        self._causes[cause] += 1

    def __len__(self) -> int:
        return self._causes.total()

    @property
    def top(self) -> list[Cause]:
        """The most frequent causes."""
        return [Cause(reason, detail, n) for (reason, detail), n in self._causes.most_common(_TOP)]

    def warning(self, records: int) -> str | None:
        """Return a warning if a good part of the records was rejected."""
        if not records or len(self) <= LOUD_FROM * records:
            return None
        return (
            f"{len(self) / records:.0%} of the records were rejected, so the figures are about the rest alone: "
            f"{'; '.join(map(str, self.top))}. Correct the records or the catalogue, and evaluate again."
        )
