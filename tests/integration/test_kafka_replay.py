"""Replay of a topic: bounded, with the results of a file, and with rejects in a separate topic."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import everything_in
from tests.support.kafka_reader import Reading, values
from tests.support.kafka_topics import Kafka
from tests.support.replays import accounted_for, left_by, redis_of_its_own, replay, write_history

pytestmark = pytest.mark.kafka


def test_replay_of_a_topic_depends_on_no_number_of_processes(kafka: Kafka, tmp_path: Path) -> None:
    """Redis holds the same bytes; the rejects topic holds each reject with its position."""
    path = tmp_path / "events.jsonl"
    write_history(path, users=60, turns=3_000)
    lines = path.read_bytes().splitlines()
    events = kafka.create_topic()
    kafka.produce(events, lines)
    held = []
    for processes in (1, 2):
        rejects = kafka.create_topic()
        arguments = (f"kafka://{kafka.servers}/{events}", "--rejects", f"kafka://{kafka.servers}/{rejects}")
        with redis_of_its_own() as (url, client):
            summary = replay(url, *arguments, "--processes", processes, cwd=tmp_path)
            held.append(everything_in(client))
        assert accounted_for(summary) == summary["read"] == len(lines)
        rejected = [json.loads(value) for value in values(Reading(kafka, rejects).bounded())]
        assert Counter(reject["reason"] for reject in rejected) == Counter(summary["rejected"])
        assert {reject["origin"]["topic"] for reject in rejected} == {events}
    assert held[0] == held[1]


def test_replay_of_a_topic_learns_what_a_file_teaches(kafka: Kafka, tmp_path: Path) -> None:
    """Signals hold the same bytes; of gates, times of a "no" differ, as a line of a file has no time of its own."""
    path = tmp_path / "events.jsonl"
    write_history(path, users=60, turns=3_000)
    events = kafka.create_topic()
    kafka.produce(events, path.read_bytes().splitlines())
    with redis_of_its_own() as (url, client):
        replay(url, f"kafka://{kafka.servers}/{events}", cwd=tmp_path)
        held = everything_in(client)
    signals = [
        {key: fields for key, fields in found.items() if _learned(key, fields)}
        for found in (held, left_by(path, cwd=tmp_path)[1])
    ]
    assert signals[0] == signals[1]
    assert len(signals[0]) > 20


def _learned(key: str, fields: Any) -> bool:
    """Return whether a key has signals of a user without a wipe and without a "no"."""
    return key.endswith(":signals") and "_status" not in fields and "_epoch" not in fields
