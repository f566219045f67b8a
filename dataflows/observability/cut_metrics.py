"""Cuts in object storage, as Prometheus metrics of the first process."""

from collections.abc import Iterator
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dataflows.observability.metrics import histogram
from dataflows.observability.watch import Watch


class CutCollector(Collector):
    """Collector of the cuts of a run; without object storage there are no samples."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        cuts = self._watch.cuts
        if cuts is None:
            return
        yield CounterMetricFamily("tacit_cuts", "Complete cuts in object storage.", value=cuts.cuts)
        yield CounterMetricFamily("tacit_cut_failures", "Cuts that ended with an error.", value=cuts.failures)
        yield CounterMetricFamily(
            "tacit_cut_process_restarts", "Restarts of the process that uploads.", value=cuts.restarts
        )
        yield CounterMetricFamily("tacit_cut_sent_bytes", "Bytes sent for complete cuts.", value=cuts.bytes)
        yield CounterMetricFamily("tacit_cut_deleted_files", "Files that no cut named any more.", value=cuts.deleted)
        yield GaugeMetricFamily("tacit_cut_bytes", "Size of the newest complete cut.", value=cuts.size)
        if cuts.staged_at is not None:
            yield GaugeMetricFamily(
                "tacit_cut_age_seconds",
                "Age of the state that the newest complete cut has: the lag of uploads.",
                value=max(0.0, monotonic() - cuts.staged_at),
            )
        yield histogram(
            "tacit_cut_seconds", "Time from the copy of the state to the manifest of its cut.", cuts.durations
        )
