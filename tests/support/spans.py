"""Spans in memory, from the SDK of OpenTelemetry."""

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id

from dataflows.observability.tracing.spans import Spans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CONTEXT = f"00-{TRACE}-00f067aa0ba902b7-01"


def id_of(span: ReadableSpan) -> str:
    """Return the id of a span in hexadecimal."""
    context = span.get_span_context()
    assert context is not None
    return format_span_id(context.span_id)


class KeptSpans(Spans):
    """Maker of spans that keeps them."""

    def __init__(self, *, keeps_state: bool = True) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        super().__init__(provider.get_tracer("test"), keeps_state=keeps_state)

    @property
    def made(self) -> dict[str, ReadableSpan]:
        """Spans by name, each name once."""
        found = self._kept.get_finished_spans()
        assert len({span.name for span in found}) == len(found)
        return {span.name: span for span in found}

    @property
    def errors(self) -> dict[str, str | None]:
        """Error of each span; None without one."""
        return {name: span.status.description for name, span in self.made.items()}
