"""Readiness of a run as Prometheus metrics: the same reasons as in the body of /readyz."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dataflows.observability.watch import REASONS, Watch


class ReadinessCollector(Collector):
    """Collector that looks at a run at each scrape; each process of the run serves the same."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        ready, body = self._watch.is_ready()
        yield GaugeMetricFamily("tacit_ready", "1: the run reads, writes and has its namespace.", value=ready)
        unready = GaugeMetricFamily("tacit_unready", "1: a reason for which the run is not ready.", labels=["reason"])
        present = {found["reason"] for found in body["reasons"]}
        for reason in REASONS:
            unready.add_metric([reason], reason in present)
        yield unready
