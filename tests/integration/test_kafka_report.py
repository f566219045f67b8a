"""Report of a replay of a topic."""

import json
from pathlib import Path

from tests.support.commands import tacit
from tests.support.kafka_topics import Kafka
from tests.support.replays import redis_of_its_own, write_history


def test_report_has_the_ranges_of_a_topic_and_the_changes_against_live(kafka: Kafka, tmp_path: Path) -> None:
    """A shadow is compared with the namespace live; the report names no user."""
    write_history(tmp_path / "events.jsonl", users=40, turns=1_000)
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    topic = kafka.create_topic()
    kafka.produce(topic, lines)
    with redis_of_its_own() as (url, _):
        for words in (["events.jsonl"], [f"kafka://{kafka.servers}/{topic}", "--namespace", "shadow"]):
            done = tacit("replay", *words, "--redis", url, "--report", "report", "--quiet", cwd=tmp_path)
            assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counts"]["read"] == len(lines)
    assert report["counts"]["unexplained"] == 0
    assert [(each["name"], each["first"], each["last"]) for each in report["inputs"]] == [
        (f"{topic}/0", 0, len(lines) - 1)
    ]
    assert report["changes"]["against"] == "live"
    assert all(change["gone"] == 0 for change in report["changes"]["facets"].values())
    assert sum(change["same"] for change in report["changes"]["facets"].values()) > 20
    content = (tmp_path / "report.json").read_text() + (tmp_path / "report.html").read_text()
    assert not any(json.loads(line)["user_id"] in content for line in lines[:50] if line.startswith(b'{"schema":1,'))
