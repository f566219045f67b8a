"""Spans of the stateful step: parse, shard and checkpoint; a mark behind the writes of a sampled event."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from time import time_ns
from typing import Any, NamedTuple

from bytewax.operators import StatefulBatchLogic

from dataflows.observability.tracing.spans import CHECKPOINT, PARSE, SHARD, Spans, logged
from operators.adapt import Adapt, Parse
from operators.parse import Parsed
from state.events.records import Reason, Record, Records, Reject, Sampled, ToAllShards
from state.storage.shards import shard_of
from state.user.writes import GateWrite, SignalWrite

MOST_PENDING = 256
"""Sampled events of a shard that wait for a checkpoint; of more, the oldest get no span of it."""

_NOTHING = Parsed([], [], [])


class SampledWrite(NamedTuple):
    """Mark behind the writes of a sampled event, for the sink."""

    context: str
    since_ns: int
    """End of the stateful step."""
    writes: int


class TimedParse:
    """Parser of a process that remembers its last batch, where a sampled event is in it."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self.is_timed = False
        self.times_ns = (0, 0)
        self.parsed = _NOTHING

    def __call__(self, records: Iterable[Record]) -> Parsed:
        """Return the result of the parser."""
        if not self.is_timed:
            return self._parse(records)
        began_ns = time_ns()
        self.parsed = self._parse(records)
        self.times_ns = began_ns, time_ns()
        return self.parsed


class TracedAdapt(StatefulBatchLogic[Any, Any, bytes]):
    """The stateful step of a shard, with spans of the sampled events."""

    def __init__(self, adapt: Adapt, parse: TimedParse, shards: int, spans: Spans) -> None:
        """Trace a step that parses by `parse`, in a run with a number of shards."""
        self._adapt = adapt
        self._parse = parse
        self._shards = shards
        self._spans = spans
        self._pending: deque[str] = deque(maxlen=MOST_PENDING)

    def on_batch(self, values: list[Records | ToAllShards]) -> tuple[list[Any], bool]:
        """Return the result of the step, with a mark for each sampled event with writes."""
        groups = [value for value in values if isinstance(value, Records)]
        sampled = [(group[each.place], each) for group in groups for each in group.sampled]
        if not sampled:
            return self._adapt.on_batch(values)
        self._parse.is_timed = True
        try:
            with logged(each.context for _, each in sampled):
                adapted, is_discarded = self._adapt.on_batch(values)
        finally:
            self._parse.is_timed = False
        ended_ns = time_ns()
        marks = [mark for record, each in sampled for mark in self._trace(record, each, adapted, ended_ns)]
        self._parse.parsed = _NOTHING
        return [*adapted, *marks], is_discarded

    def _trace(self, record: Record, sampled: Sampled, adapted: list[Any], ended_ns: int) -> list[SampledWrite]:
        """Add the spans of an event, and return its mark, if it has writes."""
        parse, spans, context = self._parse, self._spans, sampled.context
        reason = _reason(record, parse.parsed.rejects)
        spans.add(PARSE, context, parse.times_ns, {}, error=reason)
        if reason:
            return []
        parsed = zip(parse.parsed.observations, parse.parsed.records, strict=True)
        user = next(observation.user for observation, each in parsed if each is record)
        reason = _reason(record, [item for item in adapted if isinstance(item, Reject)])
        attributes = {"tacit.shard": shard_of(user, self._shards), "tacit.batch_events": len(parse.parsed.records)}
        spans.add(SHARD, context, (parse.times_ns[1], ended_ns), attributes, error=reason)
        if not reason and spans.keeps_state:
            self._pending.append(context)
        writes = sum(isinstance(item, SignalWrite | GateWrite) and item.user == user for item in adapted)
        return [SampledWrite(context, ended_ns, writes)] if writes else []

    def snapshot(self) -> bytes:
        """Return the snapshot of the step; a span ends when the checkpoint is on disk."""
        if not self._pending:
            return self._adapt.snapshot()
        began_ns = time_ns()
        with logged(self._pending):
            token = self._adapt.snapshot()
        ended_ns = time_ns()
        while self._pending:
            self._spans.add(CHECKPOINT, self._pending.popleft(), (began_ns, ended_ns), {})
        return token

    def notify_at(self) -> datetime | None:
        """Return the time of the step's next work without events."""
        return self._adapt.notify_at()

    def on_notify(self) -> tuple[list[Any], bool]:
        """Do that work."""
        return self._adapt.on_notify()

    def on_eof(self) -> tuple[list[Any], bool]:
        """End the step."""
        return self._adapt.on_eof()


def _reason(record: Record, rejects: Iterable[Reject]) -> Reason | str:
    """Return the reason of a rejected record; empty for any other."""
    place = record.origin, record.position
    return next((reject.reason for reject in rejects if (reject.origin, reject.position) == place), "")
