"""Spans: contexts, times, errors, and the lines of a log."""

import pytest
import structlog
from opentelemetry.trace import format_span_id, format_trace_id

from dataflows.observability.tracing.spans import is_valid, logged, place_attributes
from state.events.records import FileOrigin, KafkaOrigin
from tests.support.spans import CONTEXT, TRACE, KeptSpans, id_of


def test_span_continues_the_trace_and_has_the_given_times() -> None:
    """Its context is the parent of the next one."""
    spans = KeptSpans()
    made = spans.add("first", CONTEXT, (5, 9), {"a": 1})
    spans.add("second", made, (9, 12), {}, error="late")
    first, second = spans.made["first"], spans.made["second"]
    assert first.parent is not None
    assert second.parent is not None
    assert format_trace_id(first.parent.trace_id) == format_trace_id(second.parent.trace_id) == TRACE
    assert format_span_id(first.parent.span_id) == CONTEXT[36:52]
    assert format_span_id(second.parent.span_id) == id_of(first) == made[36:52]
    assert (first.start_time, first.end_time, dict(first.attributes or {})) == (5, 9, {"a": 1})
    assert spans.errors == {"first": None, "second": "late"}


@pytest.mark.parametrize(
    ("context", "valid"),
    [
        (CONTEXT, True),
        (CONTEXT[:-2] + "00", False),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        ("00-bad-01", False),
        ("", False),
    ],
)
def test_context_without_a_trace_is_not_valid(context: str, valid: bool) -> None:
    """It would begin a trace of its own."""
    assert is_valid(context) is valid


def test_log_lines_carry_the_ids_of_the_traces() -> None:
    """Each once, until the end of the block."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        log = structlog.get_logger()
        with logged([CONTEXT, CONTEXT, CONTEXT.replace("4bf9", "5bf9")]):
            log.info("inside")
        log.info("outside")
    assert [line.get("trace_id") for line in lines] == [f"{TRACE},{TRACE.replace('4bf9', '5bf9')}", None]


def test_place_of_a_record_has_the_names_of_opentelemetry() -> None:
    """A file has others."""
    assert place_attributes(KafkaOrigin("events", 3), 7)["messaging.destination.partition.id"] == "3"
    assert place_attributes(FileOrigin("a.jsonl"), 7) == {"code.file.path": "a.jsonl", "code.line.number": 7}
