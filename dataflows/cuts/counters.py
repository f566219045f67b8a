"""Counters of the cuts of a run, written by the process that uploads them; they continue over its restarts."""

from dataclasses import dataclass, field

from state.counters import Histogram


@dataclass(slots=True)
class CutCounters:
    """Counters since the start of the command."""

    cuts: int = 0
    """Complete cuts."""
    failures: int = 0
    """Attempts that ended with an error."""
    bytes: int = 0
    """Bytes sent for complete cuts."""
    deleted: int = 0
    """Files deleted that no manifest named."""
    restarts: int = 0
    """Restarts of the process that uploads."""
    staged_at: float | None = None
    """`monotonic()` of the staging of the newest complete cut; None before the first one."""
    size: int = 0
    """Bytes of all files of the newest complete cut."""
    durations: Histogram = field(
        default_factory=lambda: Histogram(bounds=(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0))
    )
    """Seconds from the staging of a cut to its manifest."""
    problem: str = ""
    """Error of the last attempt; empty after a complete cut."""
