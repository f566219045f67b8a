"""Reading of the measures from a Prometheus, by fixed queries."""

import math
from collections.abc import Sequence
from time import monotonic
from typing import Literal, NamedTuple
from urllib.parse import urlencode

import msgspec

from tacit_service.console.measures import Measure, Reading, Values
from tacit_service.http.fetching import fetch

_TIMEOUT_S = 5.0
_READ_S = 10.0
"""Limit of all queries of a reading."""
_MAX_BYTES = 8 << 20
_LEAST_WINDOW_S = 120
"""Least time of a rate: four intervals of scrapes of 15 to 30 s."""

Span = Literal["hour", "day", "week"]


class _Times(NamedTuple):
    length_s: int
    step_s: int


SPANS: dict[Span, _Times] = {"hour": _Times(3600, 15), "day": _Times(86_400, 300), "week": _Times(604_800, 1800)}


class PrometheusError(Exception):
    """Prometheus does not answer, or not as its API does."""


class _Line(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] = (0.0, "0")


class _Result(msgspec.Struct, frozen=True):
    result: list[_Line]


class _Body(msgspec.Struct, frozen=True):
    data: _Result


_decode = msgspec.json.Decoder(_Body).decode


class Prometheus:
    """Queries to one server; all methods block, and raise PrometheusError.

    Args:
        url: its address.
        measures: the measures.
    """

    def __init__(self, url: str, measures: Sequence[Measure]) -> None:
        self._url = url.rstrip("/")
        self._measures = measures

    def read(self, span: Span, now_s: float) -> Reading:
        """Return the values of all measures, in their order."""
        length_s, step_s = SPANS[span]
        end_s = int(now_s) // step_s * step_s
        times_s = list(range(end_s - length_s, end_s + 1, step_s))
        window_s = max(_LEAST_WINDOW_S, step_s)
        lines, until_s = [], monotonic() + _READ_S
        for measure in self._measures:
            if monotonic() > until_s:
                raise PrometheusError("its answers take too long")
            lines.append(self._lines(measure, measure.query(window_s), times_s, step_s))
        return Reading(times_s, lines)

    def unready(self) -> list[tuple[str, str]]:
        """Return address and reason of each process that is not ready."""
        found = self._ask("query", query="tacit_unready == 1")
        return [(each.metric.get("instance", ""), each.metric.get("reason", "")) for each in found]

    def ready(self) -> list[str]:
        """Return the address of each process that is ready."""
        return [each.metric.get("instance", "") for each in self._ask("query", query="tacit_ready == 1")]

    def _lines(self, measure: Measure, query: str, times_s: Sequence[int], step_s: int) -> dict[str, Values]:
        start_s, by = times_s[0], measure.by if measure.kind != "quantile" else ""
        found = self._ask("query_range", query=query, start=start_s, end=times_s[-1], step=step_s)
        lines: dict[str, Values] = {}
        for each in found:
            line = lines[each.metric.get(by, "")] = [None] * len(times_s)
            for at_s, text in each.values:
                place, value = round((at_s - start_s) / step_s), float(text)
                if 0 <= place < len(times_s) and math.isfinite(value):
                    line[place] = value
        return lines

    def _ask(self, kind: str, **parameters: object) -> list[_Line]:
        url = f"{self._url}/api/v1/{kind}?{urlencode(parameters)}"
        try:
            status, data = fetch(url, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES)
            if status != 200:
                raise PrometheusError(f"status {status}")
            return _decode(data).data.result
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise PrometheusError(type(error).__name__) from None
