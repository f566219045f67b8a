"""Figures of the charts, from Prometheus or from the history in memory, encoded for the browser."""

import asyncio
from time import time
from typing import Literal

import msgspec
import structlog

from tacit_service.console.charts import Line, lines_of
from tacit_service.console.history import History
from tacit_service.console.measures import Reading
from tacit_service.console.prometheus import SPANS, Prometheus, PrometheusError, Span
from tacit_service.http.answers import encode
from tacit_service.service import Service


class Figures(msgspec.Struct, frozen=True):
    """Lines of all charts."""

    source: Literal["memory", "prometheus"]
    problem: str
    """Problem that the operator should see; empty for none."""
    times_s: list[int]
    """Unix times of the values."""
    charts: dict[str, list[Line]]


class FigureReader:
    """Reader of the figures; it asks Prometheus at most once per step of a span.

    Args:
        service: shared parts.
        history: history of the poller.
        prometheus: server to ask; None: there is the history only.
    """

    def __init__(self, service: Service, history: History, prometheus: Prometheus | None) -> None:
        self._service = service
        self._history = history
        self._prometheus = prometheus
        self._lock = asyncio.Lock()
        self._held: dict[Span, tuple[float, bytes]] = {}
        """Span → step of its last reading, and the document; an empty one: Prometheus did not answer."""

    async def read(self, span: Span) -> bytes:
        """Return the JSON document of the figures.

        Raises:
            ProblemError: the service is busy.
        """
        prometheus = self._prometheus
        if prometheus is None:
            return await self._service.in_thread(lambda: encode(self._remembered("")))
        async with self._lock:
            step = time() // SPANS[span].step_s
            held_step, data = self._held.get(span, (0.0, b""))
            if held_step != step:
                data = await self._asked(prometheus, span)
                self._held[span] = step, data
        if data:
            return data
        problem = "Prometheus does not answer: these are the figures of the last hour from memory."
        return await self._service.in_thread(lambda: encode(self._remembered(problem)))

    async def _asked(self, prometheus: Prometheus, span: Span) -> bytes:
        try:
            return await self._service.in_thread(
                lambda: encode(_figures("prometheus", "", prometheus.read(span, time())))
            )
        except PrometheusError as error:
            structlog.get_logger("console").warning("prometheus.unavailable", error=str(error))
            return b""

    def _remembered(self, problem: str) -> Figures:
        return _figures("memory", problem, self._history.read(time()))


def _figures(source: Literal["memory", "prometheus"], problem: str, reading: Reading) -> Figures:
    return Figures(source, problem, reading.times_s, lines_of(reading))
