"""Spans of the first step: from the fetch of a record to the shard of its user."""

from collections.abc import Iterable, Sequence
from time import time_ns

from opentelemetry.trace import SpanKind

from dataflows.observability.tracing.spans import READ, Spans, is_valid, logged, place_attributes
from dataflows.observability.tracing.steps import Key
from operators.key import Group
from state.account import Counted
from state.events.records import Record, Records, Reject, Sampled, SampledRecord, ToAllShards


class TracedKeyer:
    """Keyer that hands the contexts of sampled records on with their groups."""

    def __init__(self, key: Key, spans: Spans) -> None:
        self._key = key
        self._spans = spans

    def __call__(self, records: Sequence[Record | ToAllShards]) -> Iterable[Group | Reject | Counted]:
        """Return the result of the keyer."""
        sampled = {
            (record.origin, record.position): record
            for record in records
            if isinstance(record, SampledRecord) and is_valid(record.context)
        }
        if not sampled:
            return self._key(records)
        with logged(record.context for record in sampled.values()):
            found = list(self._key(records))
        ended_ns = time_ns()
        for item in found:
            if isinstance(item, Reject):
                if record := sampled.get((item.origin, item.position)):
                    self._read(record, ended_ns, item.reason)
            elif isinstance(item[1], Records):
                item[1].sampled = self._contexts(item[1], ended_ns)
        return found

    def _contexts(self, group: Records, ended_ns: int) -> tuple[Sampled, ...]:
        return tuple(
            Sampled(place, self._read(record, ended_ns))
            for place, record in enumerate(group)
            if isinstance(record, SampledRecord) and is_valid(record.context)
        )

    def _read(self, record: SampledRecord, ended_ns: int, error: str = "") -> str:
        attributes = place_attributes(record.origin, record.position)
        times_ns = record.fetched_ns, ended_ns
        return self._spans.add(READ, record.context, times_ns, attributes, error=error, kind=SpanKind.CONSUMER)
