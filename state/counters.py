"""Counters of a run, written by its steps and read by metrics, health checks and summaries.

Each counter has one writer thread. Readers need no lock: numbers are whole, at most a moment old.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from state.account import Account
from state.events.observation import Observation
from state.events.records import Reason, Reject
from state.learning.challenger import ChallengerScores
from state.learning.population_version import Scores


class Outcome(StrEnum):
    """Outcome of an event that is not a reject."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNCONSENTED = "unconsented"
    BEFORE_WIPE = "before_wipe"
    SKIPPED = "skipped"
    """Not selected: an event of another user, or an interaction outside of a range of files."""


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
    held_back: int = 0
    """Records that a bounded read leaves out at its end: an unfinished last line, or those behind a transaction."""
    stored_bytes: int = 0
    """Position in the files, in bytes on disk, over all files."""
    lag: dict[str, int] = field(default_factory=dict)
    """`topic/partition`, or the name of a log → records between the position and the end, at the last look."""
    lag_bytes: dict[str, int] = field(default_factory=dict)
    """Name of a log → bytes between the position and its end, with those of an unfinished line."""
    held: dict[str, int] = field(default_factory=dict)
    """`topic/partition` → the part of the lag behind an open transaction."""
    transaction_s: float = 0.0
    """Age of the oldest open transaction that holds records back; 0: none does."""
    gaps: Counter[str] = field(default_factory=Counter)
    """Reason of a gap (connectors.kafka.gaps) → records that are lost to the run."""
    grew: bool = False
    """The topic has more partitions, and the source ended in order, so that a restart reads all of them."""
    progressed_at: float = 0.0
    """`time.monotonic()` of the last progress: records emitted, or a reachable source without new records."""
    commit_stalls: Histogram = field(default_factory=Histogram)
    """Seconds from the snapshot of a source to the next read: the pause of a checkpoint."""
    stopped_at: float | None = None
    """`time.monotonic()` of a snapshot without a later read."""
    absent_at: float | None = None
    """`time.monotonic()` of the first failed look at the source; None while it answers."""

    caught_up: tuple[int, frozenset[str]] = (0, frozenset())
    """Partitions of a live topic, and those of which the dataflow took all records that the start found."""

    def catches_up(self, partition: str, partitions: int) -> None:
        """Note that the dataflow took all records that a partition held at the start."""
        self.caught_up = partitions, self.caught_up[1] | {partition}

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
    oldest_ms: int | None = None
    newest_ms: int | None = None
    """Oldest and newest event time of the parsed events; None before the first."""
    in_range: int = 0
    """Interactions within the range of event times of a replay of files that has one."""
    interactions_ms: tuple[int, int] | None = None
    """Oldest and newest event time of the interactions that were compared with such a range."""

    def count_times(self, observations: Iterable[Observation]) -> None:
        """Take in the event times of a batch."""
        times = [o.at_ms for o in observations]
        oldest, newest = min(times), max(times)
        self.oldest_ms = oldest if self.oldest_ms is None else min(self.oldest_ms, oldest)
        self.newest_ms = newest if self.newest_ms is None else max(self.newest_ms, newest)

    def count_compared(self, at_ms: int, *, is_in_range: bool) -> None:
        """Count an interaction that was compared with a range."""
        self.in_range += is_in_range
        oldest_ms, newest_ms = self.interactions_ms or (at_ms, at_ms)
        self.interactions_ms = min(oldest_ms, at_ms), max(newest_ms, at_ms)

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
    unannounced: int = 0
    """Entries of the feed of changes that Redis did not take; their users wait for the next entry."""
    refused_at: float | None = None
    """`time.monotonic()` of the first repetition of a write that Redis has not taken yet; None without one."""
    freshness: Histogram = field(default_factory=Histogram)
    """Seconds from event time to the signal in Redis."""
    control_effect: Histogram = field(default_factory=Histogram)
    """Seconds from the time of a control event to its gate in Redis."""
    restored: tuple[int, frozenset[int]] = (0, frozenset())
    """Number of the last loss of data in Redis, and the shards that the process has written again since."""

    def restores(self, number: int, shard: int) -> None:
        """Note that all gates and signals of a shard are in Redis again."""
        known, shards = self.restored
        self.restored = number, (shards if known == number else frozenset()) | {shard}


@dataclass(slots=True)
class CheckpointCounters:
    """Counters of a process's checkpoints."""

    made_at: float | None = None
    """`time.monotonic()` of the last checkpoint; None before the first."""
    bytes: int = 0
    """Size of the newest checkpoints of all shards."""
    durations: Histogram = field(default_factory=Histogram)
    """Seconds from the start of a checkpoint of all shards to its manifests."""


@dataclass(slots=True)
class ForeseenCounters:
    """Signals that a dry run would have left in its namespace."""

    users: int = 0
    """Users with a signal."""
    signals: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(Facet, tier) → signals."""


@dataclass(slots=True)
class LearningCounters:
    """Counters of population training: examples are those of the process's shards, all else is of a single process."""

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
    checkpoints: CheckpointCounters = field(default_factory=CheckpointCounters)
    foreseen: ForeseenCounters = field(default_factory=ForeseenCounters)
    account: Account | None = None
    """Sums of the whole replay, in the one process that keeps them."""
    cpu_s: float = 0.0
    """User and system time of the run, without the start of Python and imports."""
    stopped: bool = False
    """A stop was requested; the source may have more records."""

    def restart(self) -> None:
        """Reset the figures about the present, for a restart within a command; counts continue."""
        self.source.lag, self.source.lag_bytes, self.source.held = {}, {}, {}
        self.source.transaction_s, self.source.grew = 0.0, False
        self.source.stopped_at = self.source.absent_at = self.sink.refused_at = None
        self.source.caught_up = 0, frozenset()
        self.sink.restored = 0, frozenset()
        self.events.users = 0
        self.stopped = False

    @classmethod
    def total(cls, processes: Iterable["Counters"]) -> "Counters":
        """Return the sums of plain counts over processes; times of the clock and histograms are per process."""
        total = cls()
        for one in processes:
            total.cpu_s += one.cpu_s
            total.stopped |= one.stopped
            total.foreseen.users += one.foreseen.users
            total.foreseen.signals += one.foreseen.signals
            total.account = total.account or one.account
            total.source.records += one.source.records
            total.source.bytes += one.source.bytes
            total.source.gaps += one.source.gaps
            total.source.held_back += one.source.held_back
            total.source.grew |= one.source.grew
            total.source.stored_bytes += one.source.stored_bytes
            total.source.lag |= one.source.lag  # a partition is read by one process
            total.events.users += one.events.users
            total.events.oldest_ms = _of_both(min, total.events.oldest_ms, one.events.oldest_ms)
            total.events.newest_ms = _of_both(max, total.events.newest_ms, one.events.newest_ms)
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
            for name in ("applied", "stale", "gated", "unwritable", "gates", "retries", "unannounced"):
                setattr(total.sink, name, getattr(total.sink, name) + getattr(one.sink, name))
        return total


def _of_both(choose: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    """Return one of two numbers, of which either may be missing."""
    return other if one is None else one if other is None else choose(one, other)
