"""Rejects of a topic: found by offset, and fed back into the same partition, once."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.kafka.address import TopicAddress
from connectors.kafka.records import held_records, records_at
from dataflows.rejects.stored import StoredReject, decode
from tests.support.commands import tacit
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms, redis_of_its_own, replay

pytestmark = KAFKA_TEST


def encoded(**members: Any) -> bytes:
    return json.dumps(make_event(user_id="ada", at=now_ms() - 60_000, **members)).encode()


@pytest.fixture
def topics(kafka: Kafka, tmp_path: Path) -> tuple[TopicAddress, TopicAddress]:
    """Return a topic of events that was replayed, and the topic of its rejects."""
    events, rejects = kafka.create_topic(2), kafka.create_topic(1)
    bad = [b"{", encoded(event_id="e-1", topic="gardening"), encoded(event_id="e-2")]
    kafka.produce(events, bad, partition=1)
    found = [TopicAddress.parse(f"kafka://{kafka.servers}/{topic}") for topic in (events, rejects)]
    with redis_of_its_own() as (url, _):
        summary = replay(url, str(found[0]), "--rejects", str(found[1]), cwd=tmp_path)
    assert summary["rejected"]["not_in_catalogue"] == 1
    return found[0], found[1]


def test_records_are_found_at_their_offsets(kafka: Kafka) -> None:
    """Those that retention deleted are left out."""
    topic = kafka.create_topic()
    kafka.produce(topic, [b"%d" % number for number in range(3000)], at_ms=[1_000 + n for n in range(3000)])
    kafka.delete_before(topic, 0, 5)
    address = TopicAddress.parse(f"kafka://{kafka.servers}/{topic}")
    found = list(records_at(address, 0, [1, 5, 6, 2999, 5000]))
    assert [(each.offset, each.value, each.timestamp_ms) for each in found] == [
        (5, b"5", 1005),
        (6, b"6", 1006),
        (2999, b"2999", 3999),
    ]
    assert list(records_at(address, 7, [1])) == []


def test_record_goes_back_into_its_partition_once(topics: tuple[TopicAddress, TopicAddress], tmp_path: Path) -> None:
    """With its key and time; the mark is a record of the rejects topic, so that all operators share it."""
    events, rejects = topics
    text = Path(__file__).parents[2].joinpath("client/tacit/contract/catalogue.toml").read_text()
    (tmp_path / "newer.toml").write_text(text.replace("[topics]\nvalues = [", '[topics]\nvalues = ["gardening", ', 1))
    common = ("--rejects", str(rejects), "--json")
    origin = f"{events.topic}/1/1"
    shown = tacit("rejects", "show", origin, "--content", *common, cwd=tmp_path)
    assert json.loads(shown.stdout)["content"] == next(iter(records_at(events, 1, [1]))).value.decode()
    for fed, retried in ((1, 0), (0, 1)):
        done = tacit("rejects", "retry", "--catalogue", "newer.toml", "--source", str(events), *common, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        outcomes = json.loads(done.stdout)["outcomes"]
        assert (outcomes["fed"], outcomes["retried"], outcomes["rejected"]) == (fed, retried, 1)
    first, again = records_at(events, 1, [1, 3])
    assert (again.key, again.value, again.timestamp_ms) == (first.key, first.value, first.timestamp_ms)
    kinds = [decode(record.value) for record in held_records(rejects)]
    assert [isinstance(each, StoredReject) for each in kinds] == [True, True, False]
    listed = json.loads(tacit("rejects", "list", *common, cwd=tmp_path).stdout)
    assert (listed["retried"], listed["unreadable"]) == (1, 0)
