"""Replays of a topic: bounded, the same as of a file, with rejects that go to a topic of their own."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.support.commands import everything_in
from tests.support.kafka_reader import Reading, values
from tests.support.kafka_topics import Kafka
from tests.support.replays import accounted_for, left_by, redis_of_its_own, replay, write_history

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("processes", [1, 2])
def test_topic_leaves_what_a_file_of_its_records_leaves(processes: int, kafka: Kafka, tmp_path: Path) -> None:
    """Up to its end at the start; and each reject is told in the rejects topic, with its place."""
    path = tmp_path / "events.jsonl"
    write_history(path, users=60, turns=3_000)
    lines = path.read_bytes().splitlines()
    events, rejects = kafka.create_topic(), kafka.create_topic()
    kafka.produce(events, lines)
    words = (f"kafka://{kafka.servers}/{events}", "--rejects", f"kafka://{kafka.servers}/{rejects}")
    with redis_of_its_own() as (url, client):
        summary = replay(url, *words, "--processes", processes, cwd=tmp_path)
        assert everything_in(client) == left_by(path, cwd=tmp_path)[1]
    assert accounted_for(summary) == summary["read"] == len(lines)
    told = [json.loads(value) for value in values(Reading(kafka, rejects).bounded())]
    assert Counter(reject["reason"] for reject in told) == Counter(summary["rejected"])
    assert {reject["origin"]["topic"] for reject in told} == {events}
