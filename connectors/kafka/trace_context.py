"""Trace contexts of sampled records, in the header `traceparent` (https://www.w3.org/TR/trace-context/)."""

from collections.abc import Iterable, Sequence
from time import time_ns
from typing import Any

from state.events.records import Record, SampledRecord

HEADER = "traceparent"
_FLAGS = slice(53, 55)
_SAMPLED = 1


def sampled_context(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return the context of a record that its producer sampled.

    >>> sampled_context([("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")])
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    >>> sampled_context([("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")])
    """
    for name, value in headers:
        if name == HEADER and value is not None:
            try:
                text = value.decode("ascii")
                return text if int(text[_FLAGS], 16) & _SAMPLED else None
            except ValueError:
                return None
    return None


def with_trace_contexts(records: list[Record], fetched: Sequence[Any]) -> list[Record]:
    """Return the records of a fetch, those with a sampled context as `SampledRecord`."""
    now_ns = time_ns()
    for place, each in enumerate(fetched):
        if each.headers and (context := sampled_context(each.headers)):
            records[place] = SampledRecord.of(records[place], context, now_ns)
    return records
