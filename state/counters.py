"""What a run counts: plain numbers that each part adds to, and that metrics, health and summaries read.

Each has one writer thread; readers see whole numbers, at most a moment old.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from state.events.records import Reason
from state.learning.population_version import Scores


class Outcome(StrEnum):
    """What became of an event that was not rejected."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNCONSENTED = "unconsented"
    BEFORE_WIPE = "before_wipe"


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
class SourceCounters:
    """One process's reading."""

    records: int = 0
    bytes: int = 0
    lag: dict[str, int] = field(default_factory=dict)
    """`topic/partition` → records between our position and the end, when last looked."""
    progressed_at: float = 0.0
    """`time.monotonic()` of the last progress: records handed on, or a reachable source with nothing to read."""
    commit_stalls: Histogram = field(default_factory=Histogram)
    """Seconds from taking a source's snapshot to its next read: what a checkpoint stops the stream for."""
    stopped_at: float | None = None
    """`time.monotonic()` of a snapshot after which nothing was read yet."""

    def stopped(self, at: float) -> None:
        """Note that a snapshot is taken; of several partitions the first counts."""
        if self.stopped_at is None:
            self.stopped_at = at

    def reads_again(self, at: float) -> None:
        """Note that the source is asked for records; after a snapshot this ends the stall."""
        if self.stopped_at is not None:
            self.commit_stalls.add(at - self.stopped_at)
            self.stopped_at = None


@dataclass(slots=True)
class EventCounters:
    """One process's events; every record read ends in exactly one of these numbers."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    rejects: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    users: int = 0
    """People whose state is held here."""

    @property
    def total(self) -> int:
        """Events that have got their count."""
        return sum(self.outcomes.values()) + sum(self.rejects.values())


@dataclass(slots=True)
class SinkCounters:
    """One process's writes to Redis. `applied`, `stale` and `gated` count fields."""

    applied: int = 0
    stale: int = 0
    """Not newer than what Redis holds, or already expired."""
    gated: int = 0
    """Blocked by the gate: the user opted out, or was wiped since."""
    unwritable: int = 0
    """Writes that Redis will never take (version, gate, type of key): a clock or another program is wrong."""
    gates: int = 0
    """Wipes and words on consent written."""
    retries: int = 0
    freshness: Histogram = field(default_factory=Histogram)
    """Seconds from an event's time to its signal being readable."""


@dataclass(slots=True)
class LearningCounters:
    """What is learned of everybody; of a run's processes one does that."""

    examples: int = 0
    """Judgements learned from."""
    version: int = 0
    """The newest version of the population's belief that was made here; 0: none."""
    scores: Scores | None = None
    """How well predictions did, when that version was made."""


@dataclass(slots=True)
class Counters:
    """All that one process counts."""

    source: SourceCounters = field(default_factory=SourceCounters)
    events: EventCounters = field(default_factory=EventCounters)
    sink: SinkCounters = field(default_factory=SinkCounters)
    learning: LearningCounters = field(default_factory=LearningCounters)
    cpu_s: float = 0.0
    """User and system time of the run, without what starting Python and importing took."""
    stopped: bool = False
    """It was asked to stop, and may not have come to the end of what it reads."""

    @classmethod
    def total(cls, processes: Iterable["Counters"]) -> "Counters":
        """Add up the plain counts of several processes; lag, times and histograms stay with each process's metrics."""
        total = cls()
        for one in processes:
            total.cpu_s += one.cpu_s
            total.stopped |= one.stopped
            total.source.records += one.source.records
            total.source.bytes += one.source.bytes
            total.events.users += one.events.users
            total.learning.examples += one.learning.examples
            total.learning.version = max(total.learning.version, one.learning.version)
            total.learning.scores = total.learning.scores or one.learning.scores
            for outcome, count in one.events.outcomes.items():
                total.events.outcomes[outcome] += count
            for reason, count in one.events.rejects.items():
                total.events.rejects[reason] += count
            for name in ("applied", "stale", "gated", "unwritable", "gates", "retries"):
                setattr(total.sink, name, getattr(total.sink, name) + getattr(one.sink, name))
        return total
