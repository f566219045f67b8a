"""Watch over a run: counters of each process, and the reasons for which the run is not ready.

One watch lasts as long as the command: an internal restart neither ends it nor sets a counter back.
"""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from time import monotonic, time
from typing import Any

from dataflows.cuts.counters import CutCounters
from dataflows.hosts.members import Member
from state.counters import Counters

STALLED_AFTER_S = 30.0
"""Time without progress after which a run is not ready."""
STUCK_AFTER_S = 300.0
"""Time without progress and without a known reason after which a run is not alive."""
STEADY_AFTER_S = 10.0
"""Time after an internal restart until a run that makes progress is ready again."""

STARTING, RESTARTING, STOPPING, STALLED = "starting", "restarting", "stopping", "no_progress"
REDIS, REDIS_REFUSES, KAFKA = "redis_unreachable", "redis_refuses_writes", "kafka_unreachable"
LEASE_LOST, FLUSHED = "lease_lost", "redis_lost_data"
REASONS = (STARTING, RESTARTING, STOPPING, STALLED, REDIS, REDIS_REFUSES, KAFKA, LEASE_LOST, FLUSHED)
"""All reasons for which a run is not ready."""


@dataclass(slots=True)
class ProcessView:
    """Newest counters of one process."""

    counters: Counters = field(default_factory=Counters)
    pid: int = field(default_factory=os.getpid)


class Watch:
    """Counters and reasons of a run; safe to use from several threads.

    Args:
        processes: number of processes.
    """

    def __init__(self, processes: int = 1) -> None:
        self._began = monotonic()
        self.cuts: CutCounters | None = None
        """Counters of the cuts in object storage; None without any."""
        self.processes = tuple(ProcessView() for _ in range(processes))
        for process in self.processes:
            process.counters.source.progressed_at = self._began
        self.others: Sequence[Member] = ()
        """Other hosts of the run."""
        self._reasons: dict[str, tuple[float, str]] = {}
        self._restarted_at = self._began
        self._lock = RLock()  # a signal handler of the main thread notes a stop
        self.fail(STARTING)

    def count_from_zero(self) -> None:
        """Begin all counts at zero, for a start of a bounded run that repeats records."""
        for process in self.processes:
            progressed_at = process.counters.source.progressed_at
            process.counters = Counters()
            process.counters.source.progressed_at = progressed_at

    def counters(self, number: int) -> Counters:
        """Return the counters with which a process starts: the counts so far, and no present figure."""
        counters = self.processes[number].counters
        counters.restart()
        return counters

    def update(self, number: int, counters: Counters, pid: int | None) -> None:
        """Take the newest counters of another process."""
        self.processes[number].counters = counters
        if pid is not None:
            self.processes[number].pid = pid

    def fail(self, reason: str, detail: str = "") -> None:
        """Note a reason for which the run is not ready; its time is that of the first note."""
        with self._lock:
            since_s, _ = self._reasons.get(reason, (time(), ""))
            self._reasons[reason] = (since_s, detail)

    def clear(self, reason: str) -> None:
        """Note the end of a reason."""
        with self._lock:
            self._reasons.pop(reason, None)

    def restarting(self, detail: str) -> None:
        """Note an internal restart: the run is ready again once it has been steady."""
        self._restarted_at = monotonic()
        self.fail(RESTARTING, detail)

    @property
    def progressed_at(self) -> float:
        """Time of the last progress of the process that is furthest behind, among those with a partition."""
        sources = [process.counters.source for process in self.processes]
        reading = [source.progressed_at for source in sources if source.lag]
        newest = max(source.progressed_at for source in sources)
        return min(reading, default=newest)

    @property
    def records(self) -> int:
        """Records read by all processes."""
        return sum(process.counters.source.records for process in self.processes)

    def restored(self, number: int) -> int:
        """Return the number of shards that are in Redis again after a loss of data."""
        found: list[tuple[int, Collection[int]]] = [process.counters.sink.restored for process in self.processes]
        found += [other.restored for other in self.others]
        return len({shard for known, shards in found if known == number for shard in shards})

    @property
    def has_caught_up(self) -> bool:
        """True once all partitions of a live topic are read up to the end that the start found."""
        found: list[tuple[int, Collection[str]]] = [one.counters.source.caught_up for one in self.processes]
        found += [other.caught_up for other in self.others]
        partitions = max(number for number, _ in found)
        return 0 < partitions <= len({part for _, parts in found for part in parts})

    def shared_figures(self) -> dict[str, Any]:
        """Return what the first host needs to know of this one, as members of `Member`."""
        sinks = [process.counters.sink.restored for process in self.processes]
        sources = [process.counters.source.caught_up for process in self.processes]
        number, partitions = max(number for number, _ in sinks), max(number for number, _ in sources)
        restored = {shard for known, shards in sinks if known == number for shard in shards}
        return {
            "restored": (number, sorted(restored)),
            "caught_up": (partitions, sorted({part for _, parts in sources for part in parts})),
        }

    def is_ready(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the run reads, writes and has its namespace, and the reasons if not, as JSON."""
        age_s = max(0.0, monotonic() - self.progressed_at)
        self._settle()
        reasons = self._present_reasons(age_s)
        body = {"ready": not reasons, "reasons": reasons, "progress_age_s": round(age_s, 1), "records": self.records}
        return not reasons, body

    def is_alive(self) -> tuple[bool, dict[str, Any]]:
        """Return False if the run makes no progress for no reason that it knows, so that a new start may help."""
        age_s = max(0.0, monotonic() - self.progressed_at)
        self._settle()
        known = [reason for reason in self._present_reasons(age_s) if reason["reason"] != STALLED]
        alive = age_s < STUCK_AFTER_S or bool(known)
        return alive, {"alive": alive, "reasons": [] if alive else [_reason(STALLED, time() - age_s, "")]}

    def _settle(self) -> None:
        """End the start once the source has made progress, and a restart once the run has been steady."""
        progressed_at, now = self.progressed_at, monotonic()
        if progressed_at > self._began:
            self.clear(STARTING)
        if now - self._restarted_at > STEADY_AFTER_S and now - progressed_at < STEADY_AFTER_S:
            self.clear(RESTARTING)

    def _present_reasons(self, age_s: float) -> list[dict[str, str]]:
        with self._lock:
            found = [_reason(name, *held) for name, held in self._reasons.items()]
        counters = [process.counters for process in self.processes]
        refused = [one.sink.refused_at for one in counters if one.sink.refused_at is not None]
        absent = [one.source.absent_at for one in counters if one.source.absent_at is not None]
        for name, times in ((REDIS_REFUSES, refused), (KAFKA, absent)):
            if times:
                found.append(_reason(name, time() - (monotonic() - min(times)), ""))
        if age_s >= STALLED_AFTER_S:
            found.append(_reason(STALLED, time() - age_s, f"no progress for {age_s:.0f} s"))
        return found


def _reason(name: str, since_s: float, detail: str) -> dict[str, str]:
    since = datetime.fromtimestamp(since_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"reason": name, "since": since} | ({"detail": detail} if detail else {})
