"""Export of spans to a real collector, and an outage of the collector."""

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from dataflows.observability.tracing.export import LoggedExporter, exported_spans
from tests.support.span_collector import span_collector
from tests.support.spans import CONTEXT, TRACE

ENDS = (SpanExportResult.FAILURE, SpanExportResult.FAILURE, SpanExportResult.SUCCESS, SpanExportResult.SUCCESS)


def test_spans_arrive_before_the_end_of_the_context() -> None:
    """With the region of the process."""
    with span_collector() as collector:
        with exported_spans(collector.url + "/", "eu", keeps_state=True) as spans:
            spans.add("read", CONTEXT, (1, 2), {"tacit.writes": 3})
        [span] = collector.spans
    assert (span.trace, span.attributes, span.region) == (TRACE, {"tacit.writes": "3"}, "eu")


class Scripted(SpanExporter):
    """Exporter with a result for each call."""

    def __init__(self) -> None:
        self._results = iter(ENDS)

    def export(self, spans: object) -> SpanExportResult:  # noqa: ARG002  # the interface of an exporter
        """Return the next result."""
        return next(self._results)


def test_end_of_a_run_does_not_wait_for_each_batch() -> None:
    """A collector that never answers would take the time limit for each."""
    exporter = LoggedExporter(Scripted())
    exporter.end_within(60)
    assert exporter.export(()) is ENDS[0]
    exporter.end_within(0)
    assert exporter.export(()) is exporter.export(()) is SpanExportResult.FAILURE
    exporter.end_within(60)
    assert [exporter.export(()) for _ in ENDS[1:]] == list(ENDS[1:])


def test_outage_of_a_collector_is_logged_once() -> None:
    """And so is its end."""
    exporter, none = LoggedExporter(Scripted()), tuple[ReadableSpan, ...]()
    with structlog.testing.capture_logs() as lines:
        assert [exporter.export(none) for _ in ENDS] == list(ENDS)
    assert [line["event"] for line in lines] == ["tracing.failed", "tracing.recovered"]
