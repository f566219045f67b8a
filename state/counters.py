"""Counters of a run, written by its steps and read by metrics, health checks and summaries.

Each counter has one writer thread. Readers need no lock: numbers are whole, at most a moment old.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from state.events.records import Reason, Reject
from state.learning.challenger import ChallengerScores
from state.learning.population_version import Scores


class Outcome(StrEnum):
    """Outcome of an event that is not a reject."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNCONSENTED = "unconsented"
    BEFORE_WIPE = "before_wipe"


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, in seconds. The last count is for values above all bounds."""

    bounds: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Count a value.

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
    """Counters of a process's source."""

    records: int = 0
    bytes: int = 0
    lag: dict[str, int] = field(default_factory=dict)
    """`topic/partition` → records between the position and the end of the partition, at the last look."""
    progressed_at: float = 0.0
    """`time.monotonic()` of the last progress: records emitted, or a reachable source without new records."""
    commit_stalls: Histogram = field(default_factory=Histogram)
    """Seconds from the snapshot of a source to the next read: the pause of a checkpoint."""
    stopped_at: float | None = None
    """`time.monotonic()` of a snapshot without a later read."""

    def stopped(self, at: float) -> None:
        """Record a snapshot. The first of several partitions starts the stall."""
        if self.stopped_at is None:
            self.stopped_at = at

    def reads_again(self, at: float) -> None:
        """Record a read: the first read after a snapshot ends the stall."""
        if self.stopped_at is not None:
            self.commit_stalls.add(at - self.stopped_at)
            self.stopped_at = None


@dataclass(slots=True)
class EventCounters:
    """Counters of a process's events. Every record adds 1 to exactly one number, and broken members to `repaired`."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    rejects: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    control_rejects: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    """Control events that cannot be carried out."""
    repaired: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(Type, member) → control events that were carried out although the member breaks the contract."""
    users: int = 0
    """Users with state in the process."""

    @property
    def total(self) -> int:
        """Events that are counted."""
        return sum(self.outcomes.values()) + sum(self.rejects.values()) + sum(self.control_rejects.values())

    def count_reject(self, reject: Reject) -> None:
        """Count a reject."""
        (self.control_rejects if reject.control else self.rejects)[reject.reason] += 1


@dataclass(slots=True)
class SinkCounters:
    """Counters of a process's Redis writes. `applied`, `stale` and `gated` count fields."""

    applied: int = 0
    stale: int = 0
    """Fields that were not newer than the stored ones, or already expired."""
    gated: int = 0
    """Blocked by the gate: the user opted out, or was wiped since."""
    unwritable: int = 0
    """Writes that Redis will never take (version, gate, type of key): a clock or another program is wrong."""
    gates: int = 0
    """Gates written: wipes and consent events."""
    retries: int = 0
    freshness: Histogram = field(default_factory=Histogram)
    """Seconds from event time to the signal in Redis."""


@dataclass(slots=True)
class LearningCounters:
    """Counters of population training, which runs in a single process of a run."""

    examples: int = 0
    """Examples trained on."""
    limited: int = 0
    """Examples above the limits of their user (state.learning.feedback_limit), which are not trained on."""
    version: int = 0
    """Number of the newest population version from the process; 0: none."""
    scores: Scores | None = None
    """Scores of predictions up to that version."""
    challengers: tuple[ChallengerScores, ...] = ()
    """Figures of the challengers up to that version."""
    proof: bytes = b""
    """Report of proof up to that version, as JSON (state.learning.proof_report); empty without one."""


@dataclass(slots=True)
class Counters:
    """All counters of a process."""

    source: SourceCounters = field(default_factory=SourceCounters)
    events: EventCounters = field(default_factory=EventCounters)
    sink: SinkCounters = field(default_factory=SinkCounters)
    learning: LearningCounters = field(default_factory=LearningCounters)
    cpu_s: float = 0.0
    """User and system time of the run, without the start of Python and imports."""
    stopped: bool = False
    """A stop was requested; the source may have more records."""

    @classmethod
    def total(cls, processes: Iterable["Counters"]) -> "Counters":
        """Return the sums of plain counts over processes; lag, times and histograms are per process."""
        total = cls()
        for one in processes:
            total.cpu_s += one.cpu_s
            total.stopped |= one.stopped
            total.source.records += one.source.records
            total.source.bytes += one.source.bytes
            total.events.users += one.events.users
            total.learning.examples += one.learning.examples
            total.learning.limited += one.learning.limited
            total.learning.version = max(total.learning.version, one.learning.version)
            total.learning.scores = total.learning.scores or one.learning.scores
            total.learning.challengers = total.learning.challengers or one.learning.challengers
            total.learning.proof = total.learning.proof or one.learning.proof
            for outcome, count in one.events.outcomes.items():
                total.events.outcomes[outcome] += count
            for reason, count in one.events.rejects.items():
                total.events.rejects[reason] += count
            for reason, count in one.events.control_rejects.items():
                total.events.control_rejects[reason] += count
            total.events.repaired += one.events.repaired
            for name in ("applied", "stale", "gated", "unwritable", "gates", "retries"):
                setattr(total.sink, name, getattr(total.sink, name) + getattr(one.sink, name))
        return total
