"""Metrics of the service, counted without a lock in the event loop and read by a collector of Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from tacit_service.access.rates import Rates

_BOUNDS_S = (0.0005, 0.001, 0.0015, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)


class _Times:
    """Counts by upper bound, and the sum, in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_S) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BOUNDS_S, seconds)] += 1
        self.total += seconds


class Metrics:
    """Counters of a process, written by the event loop's thread alone."""

    def __init__(self) -> None:
        self.open = 0
        """Requests that are being answered."""
        self.reads: Counter[str] = Counter()
        """Status of an adaptation → reads."""
        self.events: Counter[tuple[str, str]] = Counter()
        """Outcome and reason → events."""
        self.rates: tuple[Rates, ...] = ()
        self.streams: Callable[[], int] = int
        """Function that returns the number of open streams of changes."""
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._times: dict[str, _Times] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request."""
        self._requests[method, route, status] += 1
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = _Times()
        times.add(took_s)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        requests = CounterMetricFamily(
            "tacit_http_requests", "Requests, by method, route and status.", labels=["method", "route", "status"]
        )
        for (method, route, status), number in [*self._requests.items()]:
            requests.add_metric([method, route, str(status)], number)
        yield requests
        times = HistogramMetricFamily("tacit_http_seconds", "Time until the end of an answer.", labels=["route"])
        for route, found in [*self._times.items()]:
            times.add_metric([route], list(_cumulated(found.counts)), found.total)
        yield times
        reads = CounterMetricFamily("tacit_reads", "Reads of users' signals, by status.", labels=["status"])
        for read, number in [*self.reads.items()]:
            reads.add_metric([read], number)
        yield reads
        events = CounterMetricFamily(
            "tacit_http_events", "Events that came by HTTP, by outcome and reason.", labels=["outcome", "reason"]
        )
        for (outcome, reason), number in [*self.events.items()]:
            events.add_metric([outcome, reason], number)
        yield events
        refused = CounterMetricFamily("tacit_http_refused", "Requests above a rate.", labels=["rate"])
        for rates in self.rates:
            refused.add_metric([rates.name], rates.refused)
        yield refused
        yield GaugeMetricFamily("tacit_http_open_requests", "Requests that are being answered.", self.open)
        yield GaugeMetricFamily("tacit_http_open_streams", "Open streams of changes.", self.streams())

    def text(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self._registry)


def _cumulated(counts: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), counts, strict=True):
        total += count
        yield bound, total
