"""Measures: figures over time, from samples of Prometheus' text format or from a query to a Prometheus."""

from typing import Literal, NamedTuple


class Measure(NamedTuple):
    """Figure of one metric, added up over processes, with a line per value of a label."""

    metric: str
    """Name of the samples; of a histogram, the name before `_bucket`."""
    name: str
    """Name of the line; `{}` stands for the value of the label `by`."""
    kind: Literal["gauge", "rate", "quantile"] = "gauge"
    """`rate`: of a counter, per second; `quantile`: of a histogram."""
    combine: Literal["sum", "max", "min"] = "sum"
    """Figure of several processes; rates and histograms are always added."""
    by: str = ""
    where: tuple[tuple[str, str], ...] = ()
    """Labels and values that samples must have."""
    quantile: float = 0.0
    skips_zero: bool = False
    """A line that is zero all the time is not shown."""

    @property
    def sample(self) -> str:
        """Name of the samples."""
        return f"{self.metric}_bucket" if self.kind == "quantile" else self.metric

    @property
    def group(self) -> str:
        """Label that keeps samples apart; empty: none does."""
        return "le" if self.kind == "quantile" else self.by

    def query(self, window_s: int) -> str:
        """Return the query to a Prometheus.

        >>> Measure("tacit_rejects_total", "{}", "rate", by="reason").query(60)
        'sum by (reason) (rate(tacit_rejects_total[60s]))'
        >>> Measure("tacit_freshness_seconds", "99 %", "quantile", quantile=0.99).query(60)
        'histogram_quantile(0.99, sum by (le) (rate(tacit_freshness_seconds_bucket[60s])))'
        """
        selected = self.sample
        if self.where:
            selected += "{" + ",".join(f'{label}="{value}"' for label, value in self.where) + "}"
        by = f" by ({self.group})" if self.group else ""
        if self.kind == "gauge":
            return f"{self.combine}{by} ({selected})"
        rate = f"sum{by} (rate({selected}[{window_s}s]))"
        return f"histogram_quantile({self.quantile}, {rate})" if self.kind == "quantile" else rate


Values = list[float | None]
"""A value per time of a reading; None: there is none."""


class Reading(NamedTuple):
    """Values of all measures at the same times."""

    times_s: list[int]
    """Unix times, ascending."""
    lines: list[dict[str, Values]]
    """Per measure: value of its label → values; the key is empty for a measure without a label."""
