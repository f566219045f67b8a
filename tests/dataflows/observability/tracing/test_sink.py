"""The traced sink: writes as without spans, and a span per mark, also of a failure."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
import structlog

from connectors.null_sink import NullSink
from connectors.redis.signal_sink import RedisSink
from connectors.redis.target import Target
from dataflows.observability.tracing.adapt import SampledWrite
from dataflows.observability.tracing.sink import TracedSink, TracedSinkPartition
from state.counters import SinkCounters
from state.errors import SinkError
from tacit.contract.keys import RegionKeys
from tests.support.gates import opt_in
from tests.support.sample_signals import NOW_MS, USER
from tests.support.spans import CONTEXT, TRACE, KeptSpans

MARK = SampledWrite(CONTEXT, 5, 1)


@pytest.fixture
def spans() -> KeptSpans:
    return KeptSpans()


def partition(url: str, spans: KeptSpans, counters: SinkCounters | None = None) -> TracedSinkPartition:
    target = Target(url, "eu", retry_for_s=0.2)
    return TracedSink(RedisSink(target, counters or SinkCounters(), NullSink), spans).build("signals", 0, 1)


@pytest.fixture
def sink(redis_url: str, spans: KeptSpans) -> Iterator[TracedSinkPartition]:
    with closing(partition(redis_url, spans)) as opened:
        yield opened


def test_mark_is_a_span_and_no_write(sink: TracedSinkPartition, redis_client: redis.Redis, spans: KeptSpans) -> None:
    """It begins at the end of the stateful step; a batch without a mark has no span."""
    sink.write_batch([opt_in(NOW_MS)])
    assert spans.made == {}
    sink.write_batch([opt_in(NOW_MS + 1), MARK])
    span = spans.made["write"]
    assert (span.start_time, dict(span.attributes or {})) == (5, {"db.system.name": "redis", "tacit.writes": 1})
    assert redis_client.exists(RegionKeys("eu").gate(USER))


def test_mark_that_arrives_after_its_writes_is_a_span(sink: TracedSinkPartition, spans: KeptSpans) -> None:
    """The engine may cut a batch between them."""
    sink.write_batch([MARK])
    assert list(spans.made) == ["write"]


def test_failure_ends_the_span_and_is_raised(spans: KeptSpans) -> None:
    """Its text may name a server, so the span has the type alone."""
    with closing(partition("redis://127.0.0.1:1", spans)) as sink, pytest.raises(SinkError):
        sink.write_batch([opt_in(NOW_MS), MARK])
    assert spans.errors == {"write": "SinkError"}


def test_log_line_of_a_write_carries_the_trace(sink: TracedSinkPartition, redis_client: redis.Redis) -> None:
    """Here of a write that Redis never takes."""
    redis_client.lpush(RegionKeys("eu").gate(USER), "foreign")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        sink.write_batch([opt_in(NOW_MS), MARK])
    assert [line["trace_id"] for line in lines if line["event"] == "write.rejected"] == [TRACE]
