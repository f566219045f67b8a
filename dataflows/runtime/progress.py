"""Progress of a replay: rate, share and time left, from the counters of all processes."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from state.counters import Counters
from state.events.records import Reason

WINDOW_S = 30.0
"""Time over which rate and time left are measured."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Progress at one moment."""

    records: int
    """Records read since the start of this run."""
    rate: float
    """Records per second of the last `WINDOW_S`."""
    share: float | None
    """Part of the source that is read, 0 to 1, with the parts of earlier runs; None: not known."""
    left_s: float | None
    """Time left at the present rate; None: not known."""
    event_ms: int | None
    """Newest event time; None before the first event."""
    rejected: dict[Reason, int]
    """Rejects by reason, control events included; no reason has a 0."""

    def as_dict(self) -> dict[str, object]:
        """Return the members of a line of JSON."""
        return {
            "records": self.records,
            "records_per_s": round(self.rate),
            "share": None if self.share is None else round(self.share, 4),
            "left_s": None if self.left_s is None else round(self.left_s),
            "event_time_ms": self.event_ms,
            "rejected": {str(reason): count for reason, count in self.rejected.items()},
        }


class Meter:
    """Measure of a replay's progress: by bytes on disk for files, by records for topics."""

    def __init__(self, files: Sequence[Path], clock: Callable[[], float] = monotonic) -> None:
        """Start to measure. A file that has no size, such as a pipe, leaves the total unknown."""
        sizes = [path.stat().st_size for path in files if path.is_file()]
        self._total_bytes = sum(sizes) if len(sizes) == len(files) else 0
        self._reads_files = bool(files)
        self._clock = clock
        self._past: deque[tuple[float, int, float | None]] = deque([(clock(), 0, None)])

    def measure(self, counters: Counters) -> Reached:
        """Return the progress of a run with these counters."""
        now_s, records, share = self._clock(), counters.source.records, self._share(counters)
        past = self._past
        if not records:  # the start of processes is no part of the rate
            past.clear()
        past.append((now_s, records, share))
        while len(past) > 2 and now_s - past[1][0] >= WINDOW_S:
            past.popleft()
        began_s, before, _ = past[0]
        rejects, controls = counters.events.rejects, counters.events.control_rejects
        return Reached(
            records,
            (records - before) / (now_s - began_s) if now_s > began_s else 0.0,
            share,
            self._left_s(),
            counters.events.newest_ms,
            {reason: count for reason in Reason if (count := rejects[reason] + controls[reason])},
        )

    def _share(self, counters: Counters) -> float | None:
        source = counters.source
        if self._reads_files:
            return min(1.0, source.stored_bytes / self._total_bytes) if self._total_bytes else None
        total = source.records + sum(source.lag.values())
        return source.records / total if source.lag and total else None

    def _left_s(self) -> float | None:
        """Return the time left, from the first to the last share of the window."""
        known = [(at_s, share) for at_s, _, share in self._past if share is not None]
        if len(known) < 2 or known[-1][1] <= known[0][1]:
            return None
        (began_s, first), (now_s, last) = known[0], known[-1]
        return (1.0 - last) * (now_s - began_s) / (last - first)
