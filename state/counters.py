"""What a run counts: plain numbers that each part adds to, and that metrics, health and summaries read.

Each has one writer thread; readers see whole numbers, at most a moment old.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum

from state.records import Reason


class Outcome(StrEnum):
    """What became of an event that was not rejected."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNCONSENTED = "unconsented"
    BEFORE_WIPE = "before_wipe"


@dataclass(slots=True)
class SourceCounters:
    """One process's reading."""

    records: int = 0
    bytes: int = 0
    lag: dict[str, int] = field(default_factory=dict)
    """`topic/partition` → records between our position and the end, when last looked."""
    progressed_at: float = 0.0
    """`time.monotonic()` of the last progress: records handed on, or a reachable source with nothing to read."""


@dataclass(slots=True)
class EventCounters:
    """One process's events; every record read ends in exactly one of these numbers."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    rejects: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    users: dict[str, int] = field(default_factory=dict)
    """Shard → people it holds."""

    @property
    def total(self) -> int:
        """Events that have got their count."""
        return sum(self.outcomes.values()) + sum(self.rejects.values())


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, in seconds; the last count is of what lies above all bounds."""

    bounds: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Count one value.

        >>> h = Histogram(bounds=(1.0, 2.0))
        >>> for seconds in (0.5, 1.0, 1.5, 9.0):
        ...     h.add(seconds)
        >>> h.counts, h.total
        ([2, 1, 1], 12.0)
        """
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class SinkCounters:
    """One process's writes to Redis. `applied`, `stale` and `refused` count fields."""

    applied: int = 0
    stale: int = 0
    """Not newer than what Redis holds, or already expired."""
    refused: int = 0
    """Of a person who opted out or was wiped since."""
    malformed: int = 0
    """Refused by the script's own checks (version, epoch, type): a bug or a clock, never data."""
    gates: int = 0
    """Wipes and words on consent written."""
    retries: int = 0
    freshness: Histogram = field(default_factory=Histogram)
    """Seconds from an event's time to its signal being readable."""
