"""SIGHUP of logrotate under a live run with two processes: rejects and logs go to new files, and nothing ends."""

import json
import os
import signal
from pathlib import Path

from tests.support.commands import running
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import redis_of_its_own

pytestmark = KAFKA_TEST


def test_rejects_follow_the_name_of_their_file(kafka: Kafka, tmp_path: Path) -> None:
    """All processes get the signal, as from a terminal that closes; only the main process acts on it."""
    topic, rejects, old = kafka.create_topic(), tmp_path / "rejects.jsonl", tmp_path / "rejects.jsonl.1"
    with redis_of_its_own() as (url, _):
        words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--rejects", str(rejects)]
        with running([*words, "--metrics", "off", "--processes", "2"], tmp_path / "log") as run:
            run.wait_for(lambda: run.output.count("worker.started") == 2, "the start")
            kafka.produce(topic, [b"{"])
            run.wait_for(lambda: rejects.exists() and rejects.read_text().count("not_json") == 1, "the first reject")
            rejects.rename(old)
            os.killpg(run.process.pid, signal.SIGHUP)
            run.wait_for(rejects.exists, "the new file")
            kafka.produce(topic, [b"{"])
            run.wait_for(lambda: rejects.read_text().count("not_json") == 1, "the second reject")
            assert old.read_text().count("not_json") == 1
            assert run.stop() == 0
        assert "run.failed" not in run.output


def test_logs_follow_the_name_of_their_file(kafka: Kafka, tmp_path: Path) -> None:
    """Those of all processes; stderr has none of them, and the signal may come during the start."""
    topic, logs, old = kafka.create_topic(), tmp_path / "tacit.log", tmp_path / "tacit.log.1"
    with redis_of_its_own() as (url, _):
        words = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", url, "--log-file", str(logs)]
        with running([*words, "--metrics", "off", "--processes", "2"], tmp_path / "stderr") as run:
            run.wait_for(logs.exists, "the first line of the start")
            os.killpg(run.process.pid, signal.SIGHUP)
            run.wait_for(lambda: _events(logs).count("worker.started") == 2, "the start")
            logs.rename(old)
            os.killpg(run.process.pid, signal.SIGHUP)
            run.wait_for(logs.exists, "the new file")
            assert run.stop() == 0
        assert run.output == ""
    assert _events(logs).count("worker.stopped") == 2
    assert _events(old).count("worker.stopped") == 0
    assert _events(old)[0] == "state.not_kept"


def _events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]
