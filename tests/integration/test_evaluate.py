"""Evaluation of a topic: bounded, with the same figures as for a file."""

import json
from pathlib import Path

import pytest

from tests.support.commands import tacit
from tests.support.kafka_topics import Kafka
from tests.support.replays import END_MS, write_history

pytestmark = pytest.mark.kafka


def test_topic_is_evaluated_like_a_file_of_its_records(kafka: Kafka, tmp_path: Path) -> None:
    """All figures are equal except those of the CPU."""
    path = tmp_path / "events.jsonl"
    write_history(path, users=60, turns=3_000, end_ms=END_MS)
    topic = kafka.create_topic()
    kafka.produce(topic, path.read_bytes().splitlines())
    found = []
    for source in (path.name, f"kafka://{kafka.servers}/{topic}"):
        done = tacit("evaluate", source, "--json", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(json.loads(done.stdout))
        for model in found[-1]["models"].values():
            assert model.pop("cpu_us_per_event") > 0
    assert found[0] == found[1]
    assert found[0]["feedback"] > 500
