"""Spans of OpenTelemetry with a beginning and an end that are known already."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from state.events.records import KafkaOrigin, Origin

READ, PARSE, SHARD, CHECKPOINT, WRITE = "read", "parse", "shard", "checkpoint", "write"
"""Names of the spans."""

Attributes = Mapping[str, str | int]

_HEADER = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()


class Spans:
    """Maker of spans. A context is the text of a `traceparent`; no attribute has a user id or a pseudonym.

    Args:
        tracer: tracer of the process.
        keeps_state: True for a run with checkpoints.
    """

    def __init__(self, tracer: Tracer, *, keeps_state: bool) -> None:
        self.keeps_state = keeps_state
        self._tracer = tracer

    def add(
        self,
        name: str,
        parent: str,
        times_ns: tuple[int, int],
        attributes: Attributes,
        *,
        error: str = "",
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> str:
        """Add a span, and return its context.

        Args:
            name: name of the span.
            parent: context of the parent.
            times_ns: beginning and end, Unix epoch nanoseconds.
            attributes: attributes of the span.
            error: reason of a failure; empty without one.
            kind: kind of the span.
        """
        context = _PROPAGATOR.extract({_HEADER: parent})
        began_ns, ended_ns = times_ns
        span = self._tracer.start_span(name, context, kind, attributes, start_time=began_ns)
        if error:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(ended_ns)
        made = span.get_span_context()
        return f"00-{made.trace_id:032x}-{made.span_id:016x}-{made.trace_flags:02x}"


def is_valid(context: str) -> bool:
    """Return whether a text is a context that asks for spans."""
    found = get_current_span(_PROPAGATOR.extract({_HEADER: context})).get_span_context()
    return found.is_valid and found.trace_flags.sampled


def logged(contexts: Iterable[str]) -> AbstractContextManager[object]:
    """Return a block in which log lines carry the ids of the traces, with commas between several."""
    return bound_contextvars(trace_id=",".join(dict.fromkeys(context[3:35] for context in contexts)))


def place_attributes(origin: Origin, position: int) -> Attributes:
    """Return the place of a record, by the names of OpenTelemetry."""
    if not isinstance(origin, KafkaOrigin):
        return {"code.file.path": origin.file, "code.line.number": position}
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "receive",
        "messaging.destination.name": origin.topic,
        "messaging.destination.partition.id": str(origin.partition),
        "messaging.kafka.offset": position,
    }
