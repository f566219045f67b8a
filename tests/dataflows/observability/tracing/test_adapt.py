"""The traced stateful step: results as without spans, spans of the sampled events, and marks behind their writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dataflows.observability.tracing.adapt import MOST_PENDING, SampledWrite, TimedParse, TracedAdapt
from operators.adapt import Adapt
from state.counters import EventCounters
from state.events.records import Records, Sampled
from state.storage.shard_stores import ShardStores
from state.user.writes import GateWrite
from tests.support.factories import RULES, START_MS, make_event, make_record
from tests.support.parser import make_parser
from tests.support.shard_stores import open_stores
from tests.support.spans import CONTEXT, KeptSpans

CONSENT = make_event(type="consent", granted=True, at=START_MS)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[ShardStores]:
    with open_stores(tmp_path) as stores:
        yield stores


def traced(stores: ShardStores, spans: KeptSpans) -> TracedAdapt:
    parse = TimedParse(make_parser())
    return TracedAdapt(Adapt(stores, RULES, EventCounters(), parse), parse, 1, spans)


def group(*events: Any, sampled: Sequence[int] = ()) -> Records:
    found = Records(make_record(event, place) for place, event in enumerate(events))
    found.sampled = tuple(Sampled(place, CONTEXT) for place in sampled)
    return found


def test_batch_without_a_sampled_event_is_that_of_the_step(stores: ShardStores) -> None:
    """No span, and no mark."""
    spans = KeptSpans()
    step = traced(stores, spans)
    [write], _ = step.on_batch([group(CONSENT)])
    assert isinstance(write, GateWrite)
    assert step.snapshot()
    assert spans.made == {}


def test_sampled_event_has_spans_up_to_its_checkpoint(stores: ShardStores) -> None:
    """The mark has the number of the user's writes; the second snapshot is of other events."""
    spans = KeptSpans()
    step = traced(stores, spans)
    adapted, _ = step.on_batch([group(CONSENT, CONSENT | {"user_id": "other", "event_id": "o"}, sampled=[1])])
    assert [(mark.context, mark.writes) for mark in adapted if isinstance(mark, SampledWrite)] == [(CONTEXT, 1)]
    assert list(spans.made) == ["parse", "shard"]
    parse, shard = spans.made.values()
    assert parse.end_time == shard.start_time
    assert dict(shard.attributes or {}) == {"tacit.shard": 0, "tacit.batch_events": 2}
    assert step.snapshot()
    assert step.snapshot()
    assert list(spans.made) == ["parse", "shard", "checkpoint"]


def test_rejected_event_has_a_reason_and_no_checkpoint(stores: ShardStores) -> None:
    """Of the parser, or of the state."""
    of_parser, of_state = KeptSpans(), KeptSpans()
    step = traced(stores, of_parser)
    adapted, _ = step.on_batch([group(make_event(topic="nowhere"), sampled=[0])])
    assert of_parser.errors == {"parse": "not_in_catalogue"}
    assert not [mark for mark in adapted if isinstance(mark, SampledWrite)]
    late = make_event(event_id="late", at=START_MS - 40 * 86_400_000)
    step = traced(stores, of_state)
    step.on_batch([group(make_event(), late, sampled=[1])])
    assert step.snapshot()
    assert of_state.errors == {"parse": None, "shard": "late"}


def test_event_without_writes_has_no_mark(stores: ShardStores) -> None:
    """A duplicate changes nothing."""
    step = traced(stores, KeptSpans())
    adapted, _ = step.on_batch([group(CONSENT, CONSENT)])
    adapted, _ = step.on_batch([group(CONSENT, sampled=[0])])
    assert adapted == []


def test_run_without_state_has_no_checkpoint(stores: ShardStores) -> None:
    """Nothing is kept that would wait for one."""
    spans = KeptSpans(keeps_state=False)
    step = traced(stores, spans)
    step.on_batch([group(CONSENT, sampled=[0])])
    step.snapshot()
    assert "checkpoint" not in spans.made


def test_events_that_wait_for_a_checkpoint_are_bounded(stores: ShardStores) -> None:
    """A producer that samples all events does not fill the memory."""
    spans = KeptSpans()
    step = traced(stores, spans)
    events = [CONSENT | {"user_id": f"u{n}", "event_id": f"e{n}"} for n in range(MOST_PENDING + 50)]
    step.on_batch([group(*events, sampled=range(len(events)))])
    step.snapshot()
    names = [span.name for span in spans._kept.get_finished_spans()]
    assert (names.count("shard"), names.count("checkpoint")) == (MOST_PENDING + 50, MOST_PENDING)
