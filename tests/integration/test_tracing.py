"""Spans of a live run: a real record with the header `traceparent`, two processes, and a real collector."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from tests.support.commands import running
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.monitoring_client import health, scrape
from tests.support.ports import two_free_ports
from tests.support.replays import redis_of_its_own
from tests.support.span_collector import Collected, Collector, span_collector

pytestmark = KAFKA_TEST

USERS = 24
"""Users of both processes: a record crosses from the one that reads it to the one with its shard."""
STEPS = {"read", "parse", "shard", "checkpoint", "write"}


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


def header(number: int, *, sampled: bool = True) -> bytes:
    return f"00-{trace_id(number)}-{7:016x}-0{int(sampled)}".encode()


def consent(number: int) -> bytes:
    at = time_ns() // 1_000_000
    event = make_event(type="consent", user_id=f"user-{number}", event_id=f"c{number}", at=at, granted=True)
    return json.dumps(event).encode()


class Traced(NamedTuple):
    """A finished run with a collector."""

    collector: Collector
    log: list[dict[str, Any]]
    stopped_after_s: float

    def spans(self, number: int) -> dict[str, Collected]:
        return self.collector.of(trace_id(number))


RECORDS: list[tuple[bytes, bytes | None]] = [
    *((consent(number), header(number)) for number in range(USERS)),
    (consent(100), header(100, sampled=False)),
    (consent(101), None),
    (consent(102), b"00-bad-01"),
    (consent(103), b"00-" + b"0" * 32 + b"-0000000000000007-01"),
    (consent(104), b"\xff" * 55),
    (b"no event", header(105)),
    (json.dumps(make_event(user_id="user-106", event_id="f", topic="nowhere")).encode(), header(106)),
]
"""Value and header of each record."""


@pytest.fixture(scope="module")
def traced(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Yield a run over the records, with two processes and a state folder."""
    folder, topic, port = tmp_path_factory.mktemp("traced"), kafka.create_topic(), two_free_ports()
    with span_collector() as collector, redis_of_its_own() as (url, _):
        with KafkaProducer(bootstrap_servers=kafka.servers) as producer:
            for value, context in RECORDS:
                producer.send(topic, value, headers=[("other", b"x")] + ([("traceparent", context)] if context else []))
            producer.flush()
        words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--state", "state", "--processes", "2"]
        words += ["--metrics", f"127.0.0.1:{port}", "--checkpoint-every", "1", "--tracing", collector.url]
        with running(words, folder / "log") as run:
            run.wait_for(lambda: health(port) and _checkpointed(port), "a checkpoint of both processes")
            began_ns = time_ns()
            assert run.stop() == 0, run.output
            stopped_s = (time_ns() - began_ns) / 1e9
            lines = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
        yield Traced(collector, lines, stopped_s)


def _checkpointed(port: int) -> bool:
    return all(
        found["tacit_gates_total"] > 0 and found["tacit_checkpoint_seconds_count"] > 0
        for found in (scrape(port), scrape(port + 1))
    )


def test_sampled_event_has_a_span_of_each_step(traced: Traced) -> None:
    """The first continues the producer's trace, and the others follow it, in their order."""
    for number in range(USERS):
        spans = traced.spans(number)
        assert set(spans) == STEPS
        read = spans["read"]
        assert read.parent == f"{7:016x}"
        assert {span.parent for name, span in spans.items() if name != "read"} == {read.span}
        ends = [spans[name].ended_ns for name in ("read", "parse", "shard", "write")]
        assert ends == sorted(ends)
        assert all(span.began_ns <= span.ended_ns for span in spans.values())
        assert spans["checkpoint"].ended_ns > spans["shard"].ended_ns


def test_attributes_name_the_place_of_the_record(traced: Traced) -> None:
    """With the shard, and the number of writes."""
    spans = traced.spans(0)
    assert spans["read"].attributes["messaging.kafka.offset"] == "0"
    assert spans["read"].attributes["messaging.destination.partition.id"] == "0"
    assert spans["write"].attributes["tacit.writes"] == "1"
    assert 0 <= int(spans["shard"].attributes["tacit.shard"]) < 16
    assert {span.region for span in traced.collector.spans} == {"eu"}


def test_other_events_have_no_span(traced: Traced) -> None:
    """Neither without the flag, nor without a header that can be read."""
    wanted = {trace_id(number) for number in (*range(USERS), 105, 106)}
    assert {span.trace for span in traced.collector.spans} == wanted


def test_reject_ends_the_trace_with_its_reason(traced: Traced) -> None:
    """In the step that finds it."""
    assert {name: span.error for name, span in traced.spans(105).items()} == {"read": "not_json"}
    assert {name: span.error for name, span in traced.spans(106).items()} == {
        "read": "",
        "parse": "not_in_catalogue",
    }


def test_no_span_has_a_user(traced: Traced) -> None:
    """Neither an id nor a pseudonym, in any form."""
    assert b"user-" not in traced.collector.raw
    names = {name for span in traced.collector.spans for name in span.attributes}
    assert names == {
        "messaging.system",
        "messaging.operation.type",
        "messaging.destination.name",
        "messaging.destination.partition.id",
        "messaging.kafka.offset",
        "tacit.shard",
        "tacit.batch_events",
        "db.system.name",
        "tacit.writes",
    }
    values = [value for span in traced.collector.spans for value in span.attributes.values()]
    assert not [value for value in values if re.fullmatch("[0-9a-f]{32}", value)]


def test_run_does_not_wait_for_a_collector_that_is_down(
    kafka: Kafka, refused_connections: None, tmp_path: Path
) -> None:
    """One line in the log; the spans are lost, and nothing else."""
    topic, port = kafka.create_topic(), two_free_ports()
    with KafkaProducer(bootstrap_servers=kafka.servers) as producer:
        producer.send(topic, consent(0), headers=[("traceparent", header(0))])
    with redis_of_its_own() as (url, _):
        words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--metrics", f"127.0.0.1:{port}"]
        with running([*words, "--tracing", "http://127.0.0.1:1"], tmp_path / "log") as run:
            run.wait_for(lambda: health(port) and scrape(port)["tacit_gates_total"] == 1, "the gate")
            began_ns = time_ns()
            assert run.stop() == 0
            assert time_ns() - began_ns < 8e9
            assert run.output.count('"event": "tracing.failed"') == 1
            assert "Traceback" not in run.output
