"""Charts of the console: title, unit and measures of each."""

from typing import Literal, NamedTuple

import msgspec

from tacit_service.console.measures import Measure, Reading, Values

Unit = Literal["records", "per second", "seconds", "nats", "share", "yes or no"]

MAX_LINES = 12
"""Most lines of a chart; the ones with the largest values are shown."""


class Chart(NamedTuple):
    """One chart."""

    key: str
    title: str
    unit: Unit
    text: str
    measures: tuple[Measure, ...]
    empty: str = "No figures in this time."


class Section(NamedTuple):
    """Charts below one heading."""

    key: str
    title: str
    charts: tuple[Chart, ...]


STREAM = Section(
    "stream",
    "Stream",
    (
        Chart(
            "lag",
            "Lag",
            "records",
            "Records between the position of the worker and the end of the source.",
            (
                Measure("tacit_source_lag_records", "lag"),
                Measure("tacit_source_held_records", "behind an open transaction", skips_zero=True),
            ),
        ),
        Chart(
            "events",
            "Events",
            "per second",
            "Records that were read, and events by outcome.",
            (
                Measure("tacit_records_total", "records read", "rate"),
                Measure("tacit_events_total", "{}", "rate", by="outcome", skips_zero=True),
            ),
        ),
        Chart(
            "rejects",
            "Rejects",
            "per second",
            "Records turned away, and consents, pins and forgets that cannot be carried out, by reason.",
            (
                Measure("tacit_rejects_total", "{}", "rate", by="reason", skips_zero=True),
                Measure("tacit_control_rejects_total", "control event: {}", "rate", by="reason", skips_zero=True),
            ),
            empty="No rejects in this time.",
        ),
        Chart(
            "freshness",
            "Time to a signal",
            "seconds",
            'From an event to its signal in Redis, and from a user\'s "no" to its effect; 60 s stands for all above.',
            (
                Measure("tacit_freshness_seconds", "signal, half are faster", "quantile", quantile=0.5),
                Measure("tacit_freshness_seconds", "signal, 99 % are faster", "quantile", quantile=0.99),
                Measure("tacit_control_effect_seconds", '"no", 99 % are faster', "quantile", quantile=0.99),
            ),
            empty="No signals were written in this time.",
        ),
        Chart(
            "signals",
            "Signals",
            "per second",
            "Fields written to Redis, by result.",
            (Measure("tacit_signals_total", "{}", "rate", by="result", skips_zero=True),),
            empty="No signals were written in this time.",
        ),
        Chart(
            "readiness",
            "Not ready",
            "yes or no",
            "Reasons for which the worker was not ready.",
            (Measure("tacit_unready", "{}", combine="max", by="reason", skips_zero=True),),
            empty="The worker was ready all the time.",
        ),
    ),
)

SERVICE = Section(
    "service",
    "Service",
    (
        Chart(
            "requests",
            "Requests",
            "per second",
            "Requests by status.",
            (Measure("tacit_http_requests_total", "{}", "rate", by="status", skips_zero=True),),
        ),
        Chart(
            "answers",
            "Time to answer a choice",
            "seconds",
            "From a request to /v1/choices to its answer.",
            tuple(
                Measure("tacit_http_seconds", name, "quantile", where=(("route", "/v1/choices"),), quantile=quantile)
                for name, quantile in (("half are faster", 0.5), ("99 % are faster", 0.99))
            ),
            empty="No choices were asked for in this time.",
        ),
        Chart(
            "reads",
            "Reads of signals",
            "per second",
            "Reads by status; an unavailable one gets the defaults.",
            (Measure("tacit_reads_total", "{}", "rate", by="status", skips_zero=True),),
            empty="No signals were read in this time.",
        ),
    ),
)

LEARNING = Section(
    "learning",
    "Learning",
    (
        Chart(
            "loss",
            "Log loss",
            "nats",
            "Mean log loss of predictions; lower is better. A constant predicts the rate of likes so far.",
            (
                Measure("tacit_log_loss", "{}", combine="min", by="model"),
                Measure("tacit_challenger_log_loss", "challenger {}", combine="min", by="model"),
            ),
            empty="No feedback was scored yet.",
        ),
        Chart(
            "calibration",
            "Calibration error",
            "share",
            "Mean difference of predicted and observed rates, in ten bins; lower is better.",
            (Measure("tacit_calibration_error", "error", combine="max"),),
            empty="No feedback was scored yet.",
        ),
        Chart(
            "uplift",
            "Uplift",
            "share",
            "Rate of likes of adapted users minus that of the holdout, with its interval.",
            tuple(
                Measure("tacit_uplift", name, combine="max", where=(("facet", "*"), ("estimate", estimate)))
                for estimate, name in (("difference", "uplift"), ("low", "lower end"), ("high", "upper end"))
            ),
            empty="There is no estimate yet: it needs a holdout, and 30 effective answers of 20 users on each side.",
        ),
        Chart(
            "gain",
            "Gain by facet",
            "nats",
            "Reduction of the log loss by a facet; a facet up to 0 emits no signal.",
            (Measure("tacit_facet_gain", "{}", combine="max", by="facet"),),
            empty="No feedback was scored yet.",
        ),
    ),
)

PARITY = Chart(
    "parity",
    "Parity",
    "share",
    "Share of served signals that a replay of the history computes, too; tacit parity measures it.",
    (Measure("tacit_parity_rate", "{}", combine="min", by="namespace"),),
    empty="Prometheus has no result of tacit parity in this time.",
)
"""Only a Prometheus has it."""

CHARTS = (*STREAM.charts, *LEARNING.charts, *SERVICE.charts, PARITY)
MEASURES = tuple(measure for chart in CHARTS for measure in chart.measures)


class Line(msgspec.Struct, frozen=True):
    """Line of a chart."""

    name: str
    values: Values


def lines_of(reading: Reading) -> dict[str, list[Line]]:
    """Return the lines of each chart, by its key."""
    found: dict[str, list[Line]] = {chart.key: [] for chart in CHARTS}
    measured = iter(zip(MEASURES, reading.lines, strict=True))
    for chart in CHARTS:
        lines = [line for _ in chart.measures for line in _lines(*next(measured))]
        found[chart.key] = sorted(lines, key=_largest, reverse=True)[:MAX_LINES] if len(lines) > MAX_LINES else lines
    return found


def _lines(measure: Measure, groups: dict[str, Values]) -> list[Line]:
    return [
        Line(measure.name.replace("{}", group), [None if value is None else float(f"{value:.5g}") for value in values])
        for group, values in sorted(groups.items())
        if any(values) or not (measure.skips_zero or all(value is None for value in values))
    ]


def _largest(line: Line) -> float:
    return max((abs(value) for value in line.values if value is not None), default=0.0)
