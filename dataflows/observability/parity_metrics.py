"""Parity as Prometheus metrics in a file, which node_exporter's textfile collector serves."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import write_to_textfile
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dataflows.parity.measure import Parity, Standing
from state.errors import SinkError


class ParityCollector(Collector):
    """Collector of one result."""

    def __init__(self, found: Parity) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family; the rate is absent where no signal could be compared."""
        found = self._found
        place = [found.region, found.namespace]
        rate = GaugeMetricFamily(
            "tacit_parity_rate",
            "Share of compared signals that are served as a replay of the history computes them.",
            labels=["region", "namespace"],
        )
        if found.rate is not None:
            rate.add_metric(place, found.rate)
        yield rate
        signals = GaugeMetricFamily(
            "tacit_parity_signals",
            "Compared signals and profiles, by result.",
            labels=["region", "namespace", "result"],
        )
        signals.add_metric([*place, "same"], found.same)
        signals.add_metric([*place, "different"], found.compared - found.same)
        yield signals
        users = GaugeMetricFamily(
            "tacit_parity_users",
            "Users of the sample, by whether they could be compared.",
            labels=["region", "namespace", "standing"],
        )
        for standing in Standing:
            users.add_metric([*place, standing], found.users[standing])
        yield users
        at = GaugeMetricFamily(
            "tacit_parity_timestamp_seconds", "Time of the last comparison.", labels=["region", "namespace"]
        )
        at.add_metric(place, found.at_s)
        yield at


def write_parity_metrics(found: Parity, path: Path) -> None:
    """Replace a file by the metrics of a result, in one step.

    Raises:
        SinkError: the file cannot be written.
    """
    registry = CollectorRegistry()
    registry.register(ParityCollector(found))
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise SinkError(
            f"metrics file {path}: cannot be written: {error.strerror}; name a file in a folder that exists"
        ) from error
