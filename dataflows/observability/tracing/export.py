"""Export of spans to a collector by OTLP over HTTP, in the background."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from connectors.outage import OutageLog
from dataflows.observability.tracing.spans import Spans

TIMEOUT_S = 2.0
"""Time limit of an export with its repetitions, and of the exports at the end of a run, of which the last may take as
long again: a collector that accepts connections and does not answer must not make the end of a process late."""

_PATH = "/v1/traces"


class LoggedExporter(SpanExporter):
    """Exporter that logs an outage of the collector once; its spans are lost, and the run continues."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._outages = OutageLog("tracing")
        self._until_s = math.inf

    def end_within(self, seconds: float) -> None:
        """Lose the spans that are not exported after that time."""
        self._until_s = monotonic() + seconds

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        if monotonic() >= self._until_s:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outages.recovered()
        else:
            self._outages.failed(advice="check the collector that --tracing names; its spans are lost meanwhile")
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()


@contextmanager
def exported_spans(url: str, region: str, *, keeps_state: bool) -> Iterator[Spans]:
    """Yield a maker of spans, which are sent until the end of the context.

    Args:
        url: base URL of the collector.
        region: region of the users, an attribute of the process.
        keeps_state: True for a run with checkpoints.
    """
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # LoggedExporter logs an outage once
    exporter = LoggedExporter(OTLPSpanExporter(f"{url.rstrip('/')}{_PATH}", timeout=TIMEOUT_S))
    provider = TracerProvider(
        resource=Resource.create({"service.name": "tacit", "tacit.region": region}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield Spans(provider.get_tracer("tacit"), keeps_state=keeps_state)
    finally:
        exporter.end_within(TIMEOUT_S)
        provider.shutdown()
