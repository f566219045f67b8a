"""Panels of a dashboard, and the labels that the chosen job adds to their queries."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECONDS, BYTES, BYTES_PER_S, COUNT, PER_S, SHARE, YES_NO = (
    "s", "bytes", "Bps", "short", "cps", "percentunit", "bool_yes_no",
)  # fmt: skip
"""Names of units in Grafana."""
NATS = "none"
"""Unit of log loss, for which Grafana has no name; the titles name it."""

_OF_A_RUN = re.compile(r"(?<![\w:])((?:tacit|process)[_:][\w:]+)(?:\{([^}]*)\})?")
_OF_OTHERS = ("tacit_parity_", "tacit_reads", "tacit:reads:", "tacit_http_")
"""Metrics of node_exporter, of assistants and of the HTTP service, which have jobs of their own."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure over time, or the newest value where `is_single`.

    Args:
        title: title.
        unit: unit of all queries.
        description: one sentence about the meaning.
        queries: query in PromQL, without the job → text of the legend.
        is_single: show the newest value alone.
    """

    title: str
    unit: str
    description: str
    queries: Mapping[str, str]
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels about one question."""

    title: str
    panels: Sequence[Panel]


def single(title: str, unit: str, description: str, query: str) -> Panel:
    """Return a panel with one newest value."""
    return Panel(title, unit, description, {query: ""}, is_single=True)


def quantiles(metric: str, *more: float) -> dict[str, str]:
    """Return queries of the median, the 99th percentile and further quantiles of a histogram."""
    return {
        f"histogram_quantile({q}, sum by (le) (rate({metric}_bucket[$__rate_interval])))": f"p{q * 100:g}"
        for q in (0.5, *more, 0.99)
    }


def of_job(query: str) -> str:
    """Return a query that selects the metrics of the chosen job.

    >>> of_job('rate(tacit_events_total{outcome="accepted"}[1m]) / tacit_users')
    'rate(tacit_events_total{job=~"$job",outcome="accepted"}[1m]) / tacit_users{job=~"$job"}'
    >>> of_job("tacit_parity_rate")
    'tacit_parity_rate'
    """
    return _OF_A_RUN.sub(_with_job, query)


def _with_job(found: re.Match[str]) -> str:
    name, labels = found.groups()
    if name.startswith(_OF_OTHERS):
        return found[0]
    return f'{name}{{job=~"$job"{"," + labels if labels else ""}}}'
