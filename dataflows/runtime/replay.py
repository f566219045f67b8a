"""Run over a history: the dataflow of a live run, bounded, with a count for every record."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import get_args

from dataflows.hosts.host_run import HostRun
from dataflows.job import Job
from dataflows.observability.http import monitors
from dataflows.observability.watch import Watch
from dataflows.ownership import Ownership
from dataflows.report.parts import Parts
from dataflows.runtime.run import run
from dataflows.runtime.stopping import stopped_by_signals
from state.counters import Counters
from tacit.contract.signals import Tier
from tacit.errors import TacitError

INTERRUPTED = 130
"""Exit status after SIGINT: 128 and the number of the signal."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of a replay."""

    counters: Counters
    wall_s: float
    interrupted: bool = False
    """True if SIGINT stopped the replay, and not SIGTERM."""

    def as_dict(self) -> dict[str, object]:
        """Return the summary of `--json`."""
        counters, events = self.counters, self.counters.events
        read = counters.source.records
        foreseen = by_facet(counters.foreseen.signals)
        return {
            "read": read,
            "held_back": counters.source.held_back,
            "stopped": counters.stopped,
            "gaps": dict(counters.source.gaps),
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
            **({"signals_that_would_be": foreseen} if foreseen else {}),
            "population": {
                "examples": counters.learning.examples,
                "limited": counters.learning.limited,
                "version": counters.learning.version,
            },
            "wall_s": round(self.wall_s, 3),
            "cpu_s": round(counters.cpu_s, 3),
            "events_per_s": round(read / self.wall_s) if self.wall_s else 0,
        }


def by_facet(signals: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return counts by facet and tier as a table.

    >>> by_facet({("tone", "hint"): 2, ("tone", "apply"): 0})
    {'tone': {'default': 0, 'hint': 2, 'apply': 0}}
    """
    tiers = get_args(Tier)
    facets = sorted({facet for facet, _ in signals})
    return {facet: {tier: signals.get((facet, tier), 0) for tier in tiers} for facet in facets}


def replay(
    job: Job,
    report: Callable[[Counters], None],
    end_at_once: Callable[[], None] = lambda: os._exit(INTERRUPTED),
    parts: Parts | None = None,
) -> Replayed:
    """Run a bounded job to its end, or until SIGTERM or SIGINT.

    Args:
        job: source, settings and target.
        report: receives the counters a few times a second; on the first of several hosts, those of all hosts.
        end_at_once: ends this process at the second SIGINT; the kernel then ends the other processes of the run.
        parts: parts of the replay, to which this run is added; None: those of the state folder.

    Raises:
        TacitError: the first error of the run.
    """
    started = perf_counter()
    parts, watch = parts or Parts(job.settings), Watch(job.settings.processes)

    def take(counters: Counters) -> None:
        parts.update(counters)
        report(counters)

    with stopped_by_signals() as stop, stop.ends_at_once(end_at_once), monitors(job.metrics, watch):
        try:
            job.require_redis()
            if job.on_hosts:
                counters = HostRun(job, None, stop, watch, take, parts.restart).run()
            else:
                counters = run(job, take, stop, watch, Ownership(job, stop, watch))
        except TacitError as error:
            parts.end("failed", str(error))
            raise
        parts.update(counters)
        parts.end("stopped" if counters.stopped else "complete")
    return Replayed(counters, perf_counter() - started, interrupted=stop.interrupted)
