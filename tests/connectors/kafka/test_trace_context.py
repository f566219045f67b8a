"""Trace contexts in the headers of records: sampled ones only, and no header stops a read."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.trace_context import sampled_context, with_trace_contexts
from state.events.records import SampledRecord
from tests.support.factories import make_event, make_record
from tests.support.spans import CONTEXT


@pytest.mark.parametrize(
    ("value", "context"),
    [
        (CONTEXT.encode(), CONTEXT),
        (CONTEXT[:-2].encode() + b"03", CONTEXT[:-2] + "03"),
        (CONTEXT[:-2].encode() + b"02", None),
        (b"", None),
        (None, CONTEXT),
    ],
)
def test_flag_decides(value: bytes | None, context: str | None) -> None:
    """Its last bit; the first header of the name with a value counts."""
    assert sampled_context([("other", b"1"), ("traceparent", value), ("traceparent", CONTEXT.encode())]) == context


@given(st.lists(st.tuples(st.sampled_from(["traceparent", "a"]), st.none() | st.binary(max_size=60))))
def test_any_header_is_read_without_an_error(headers: list[tuple[str, bytes | None]]) -> None:
    """A producer may write anything there."""
    found = sampled_context(headers)
    assert found is None or found.isascii()


class Fetched(NamedTuple):
    """The part of a fetched record that is read."""

    headers: list[tuple[str, bytes | None]]


def test_records_keep_place_and_content() -> None:
    """Only the sampled one has a context."""
    records = [make_record(make_event(), number) for number in range(3)]
    found = with_trace_contexts(list(records), [Fetched([]), Fetched([("traceparent", CONTEXT.encode())]), Fetched([])])
    assert found == records
    assert [isinstance(record, SampledRecord) for record in found] == [False, True, False]
