"""Replay of a topic: bounded, with the results of a file, and rejects in a separate topic."""

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
def test_replay_of_a_topic_equals_that_of_a_file(processes: int, kafka: Kafka, tmp_path: Path) -> None:
    """Redis holds the same bytes; the rejects topic holds each reject with its position."""
    path = tmp_path / "events.jsonl"
    write_history(path, users=60, turns=3_000)
    lines = path.read_bytes().splitlines()
    events, rejects = kafka.create_topic(), kafka.create_topic()
    kafka.produce(events, lines)
    arguments = (f"kafka://{kafka.servers}/{events}", "--rejects", f"kafka://{kafka.servers}/{rejects}")
    with redis_of_its_own() as (url, client):
        summary = replay(url, *arguments, "--processes", processes, cwd=tmp_path)
        assert everything_in(client) == left_by(path, cwd=tmp_path)[1]
    assert accounted_for(summary) == summary["read"] == len(lines)
    rejected = [json.loads(value) for value in values(Reading(kafka, rejects).bounded())]
    assert Counter(reject["reason"] for reject in rejected) == Counter(summary["rejected"])
    assert {reject["origin"]["topic"] for reject in rejected} == {events}
