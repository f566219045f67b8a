"""The same stream as JSON, Avro and Protobuf, through a real Kafka and a real schema registry."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import everything_in, running, tacit
from tests.support.event_schemas import AVRO, AVRO_ID, PROTOBUF, avro, protobuf, valid_event
from tests.support.factories import make_event
from tests.support.kafka_reader import Reading, values
from tests.support.kafka_topics import Kafka
from tests.support.ports import free_port
from tests.support.recorded_registry import RecordedRegistry
from tests.support.replays import accounted_for, now_ms, redis_of_its_own, replay, write_history
from tests.support.schema_registry import SchemaRegistry

pytestmark = pytest.mark.kafka

Encode = Callable[[Mapping[str, Any]], bytes]


def encoded(lines: list[bytes], encode: Encode) -> list[bytes]:
    """Return the valid events in another format; broken lines stay as they are, as JSON next to it."""
    events = map(valid_event, lines)
    return [line if event is None else encode(event) for line, event in zip(lines, events, strict=True)]


def rejects_of(kafka: Kafka, topic: str) -> list[tuple[Any, ...]]:
    """Return the rejects without the time, the topic and the hash of the record."""
    rejects = [json.loads(value) for value in values(Reading(kafka, topic).bounded())]
    return sorted((r["origin"]["offset"], r["reason"], r["detail"], r.get("control", "")) for r in rejects)


@pytest.mark.parametrize("processes", [1, 2])
def test_formats_leave_the_same_bytes(
    kafka: Kafka, schema_registry: SchemaRegistry, tmp_path: Path, processes: int
) -> None:
    """Redis and the rejects are the same, with one process and with two."""
    path = tmp_path / "events.jsonl"
    write_history(path, users=60, turns=1_000)
    lines = path.read_bytes().splitlines()
    ids = {kind: schema_registry.register(kind, schema.text, subject=kind) for kind, schema in SCHEMAS.items()}
    streams = {
        "json": lines,
        "avro": encoded(lines, lambda event: avro(event, id_=ids["AVRO"])),
        "protobuf": encoded(lines, lambda event: protobuf(event, ids["PROTOBUF"])),
    }
    at_ms = [now_ms()] * len(lines)
    held, rejected = [], []
    for name, records in streams.items():
        events, rejects = kafka.create_topic(), kafka.create_topic()
        kafka.produce(events, records, at_ms=at_ms)
        registry = () if name == "json" else ("--schema-registry", schema_registry.url)
        words = ("--format", name, *registry, "--rejects", f"kafka://{kafka.servers}/{rejects}")
        with redis_of_its_own() as (url, client):
            source = f"kafka://{kafka.servers}/{events}"
            summary = replay(url, source, *words, "--processes", processes, cwd=tmp_path)
            held.append(everything_in(client))
        assert accounted_for(summary) == summary["read"] == len(lines)
        rejected.append(rejects_of(kafka, rejects))
    assert sum(value[:1] == b"\0" for value in streams["avro"]) > 900
    assert held[0] == held[1] == held[2]
    assert rejected[0] == rejected[1] == rejected[2]
    assert len(held[0]) > 20


SCHEMAS = {"AVRO": AVRO, "PROTOBUF": PROTOBUF}


def liked(number: int, **members: Any) -> dict[str, Any]:
    """Return feedback of the user ada."""
    feedback = {"served": {"length": "concise"}, "feedback": {"kind": "thumbs_up"}}
    at_ms = now_ms() - 60_000 + number
    return make_event(event_id=f"e-{number}", at=at_ms, **feedback, **members)


def test_commands_forget_in_a_topic_of_avro(kafka: Kafka, schema_registry: SchemaRegistry, tmp_path: Path) -> None:
    """They write JSON into it, and the settings of the workers do not disturb them."""
    topic = kafka.create_topic()
    source, id_ = f"kafka://{kafka.servers}/{topic}", schema_registry.register("AVRO", AVRO.text)
    consent = make_event(event_id="c-1", type="consent", granted=True, at=now_ms() - 120_000)
    kafka.produce(topic, [avro(consent, id_=id_), *(avro(liked(n), id_=id_) for n in range(20))])
    config = tmp_path / "tacit.toml"
    config.write_text(f'format = "avro"\nschema_registry = "{schema_registry.url}"\naudit = "audit.jsonl"\n')
    with redis_of_its_own() as (url, client):
        replay(url, source, cwd=tmp_path)
        assert any(key.endswith(":signals") for key in everything_in(client))
        done = tacit("forget", "ada", "--source", source, "--redis", url, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    with redis_of_its_own() as (url, client):
        replay(url, source, cwd=tmp_path)
        held = everything_in(client)
    assert any(key.endswith(":gate") for key in held)
    assert not any("length" in fields for key, fields in held.items() if key.endswith(":signals"))


def test_run_waits_for_a_registry_that_is_down(kafka: Kafka, tmp_path: Path) -> None:
    """No record is rejected or lost; the log has the beginning and the end of the outage."""
    topic, port = kafka.create_topic(), free_port()
    consent = make_event(event_id="c-1", type="consent", granted=True, at=now_ms() - 120_000)
    kafka.produce(topic, [avro(consent), *(avro(liked(n)) for n in range(20))])
    words = ["run", f"kafka://{kafka.servers}/{topic}", "--metrics", "off", "--format", "avro"]
    words += ["--schema-registry", f"http://127.0.0.1:{port}/api", "--state", "state"]
    with redis_of_its_own() as (url, client), running([*words, "--redis", url], tmp_path / "log") as run:
        run.wait_for(lambda: "schema_registry.failed" in run.output, "the outage")
        with RecordedRegistry({AVRO_ID: AVRO}).serving(port=port):
            run.wait_for(lambda: any(key.endswith(":signals") for key in everything_in(client)), "signals")
            assert run.stop() == 0
        assert run.output.count("schema_registry.failed") == 1
        assert run.output.count("schema_registry.recovered") == 1
    rejects = tmp_path / "tacit-rejects.jsonl"
    assert not rejects.exists() or rejects.read_bytes() == b""
