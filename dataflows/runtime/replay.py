"""Run over a history: the dataflow of a live run, bounded, with a count for every record."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from dataflows.job import Job
from dataflows.runtime.run import run
from dataflows.runtime.stopping import stopped_by_signals
from state.counters import Counters


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of a replay."""

    counters: Counters
    wall_s: float

    def as_dict(self) -> dict[str, object]:
        """Return the summary of `--json`."""
        counters, events = self.counters, self.counters.events
        read = counters.source.records
        return {
            "read": read,
            "stopped": counters.stopped,
            **{str(outcome): count for outcome, count in events.outcomes.items()},
            "rejected": {str(reason): count for reason, count in events.rejects.items()},
            "control_rejected": {str(reason): count for reason, count in events.control_rejects.items()},
            "control_repaired": {f"{kind}.{member}": count for (kind, member), count in events.repaired.items()},
            "users": events.users,
            "signals": {
                "applied": counters.sink.applied,
                "stale": counters.sink.stale,
                "gated": counters.sink.gated,
                "unwritable": counters.sink.unwritable,
            },
            "gates": counters.sink.gates,
            "population": {
                "examples": counters.learning.examples,
                "limited": counters.learning.limited,
                "version": counters.learning.version,
            },
            "wall_s": round(self.wall_s, 3),
            "cpu_s": round(counters.cpu_s, 3),
            "events_per_s": round(read / self.wall_s) if self.wall_s else 0,
        }


def replay(job: Job, report: Callable[[Counters], None]) -> Replayed:
    """Run a bounded job to its end, or until SIGTERM or SIGINT.

    Raises:
        TacitError: the first error of the run.
    """
    job.require_redis()
    started = perf_counter()
    with stopped_by_signals() as stop:
        counters = run(job, report, stop)
    return Replayed(counters, perf_counter() - started)
