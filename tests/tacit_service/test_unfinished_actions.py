"""Actions without their end: the worker is away, the service is killed, or the source does not answer."""

import fcntl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from tacit_lab.embedded import EmbeddedRedis
from tests.support.service import problem, serving

LOG = "events.jsonl"
SHORT = {"tacit_service.service._WRITE_S": 0.3}


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with EmbeddedRedis() as server:
        yield server.url


def test_forget_with_a_receipt_is_audited_before_its_answer(redis: str, tmp_path: Path) -> None:
    """The effect and the receipt never come; the line `sent` outlives a kill right after the answer."""
    with serving(tmp_path, redis, "--source", LOG, "--receipts", "receipts.jsonl") as service:
        answer = service.client.delete("/v1/users/ada")
        service.run.kill()
        sent = answer.json()
        assert sent["receipt"]
        [line] = service.audit()
    assert (line["action"], line["outcome"], line["by"]) == ("forget", "sent", "assistant")
    assert line["detail"]["at_ms"] == sent["sent_ms"]


def test_failed_search_keeps_no_forget_back(redis: str, tmp_path: Path) -> None:
    """There is no receipt where the user of Redis may not search; the forget is sent, and audited."""
    with closing(Redis.from_url(redis)) as client:
        client.execute_command("ACL", "SETUSER", "no-search", "on", "nopass", "~*", "+@all", "-scan")
    url = redis.replace("unix://", "unix://no-search:any@")
    with serving(tmp_path, url, "--source", LOG, "--receipts", "receipts.jsonl") as service:
        answer = service.client.delete("/v1/users/ada")
        assert answer.status_code == 202, answer.text
        assert answer.json()["receipt"] is None
        assert (tmp_path / LOG).read_text().count('"forget"') == 1
        assert [(line["action"], line["outcome"]) for line in service.audit()] == [("forget", "sent")]


def test_source_that_does_not_answer_is_a_problem_and_no_failure_of_the_service(redis: str, tmp_path: Path) -> None:
    """Another process holds the lock of the log. The event is not written later, either."""
    log = tmp_path / LOG
    log.touch()
    with serving(tmp_path, redis, "--source", LOG, limits=SHORT) as service, log.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(2):
            problem(service.client.put("/v1/users/ada/pins/length", json={"value": "concise"}), "unavailable", 503)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert service.client.put("/v1/users/ada/pins/tone", json={"value": "formal"}).status_code == 202
        assert log.read_text().count('"length"') == 1, "the second one was still waiting for the first one"
