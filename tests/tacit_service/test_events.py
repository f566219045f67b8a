"""Events by HTTP: into a file or a topic, acknowledged before the answer, each with its outcome."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.kafka.address import TopicAddress
from connectors.kafka.records import held_records
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms
from tests.support.service import Service, problem, serving

REDIS = "redis://127.0.0.1:1"


def event(number: int, **members: Any) -> dict[str, Any]:
    """Return an event of now."""
    made: dict[str, Any] = make_event(event_id=f"e{number}", user_id=f"u{number % 7}", at=now_ms(), **members)
    return made


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service with a file as the source."""
    folder = tmp_path_factory.mktemp("events")
    (folder / "events.jsonl").touch()
    with serving(folder, REDIS, "--source", "events.jsonl", "--rate-user", "100000") as found:
        yield found


def stored(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (service.folder / "events.jsonl").read_text().splitlines()]


def test_accepted_events_are_in_the_file(service: Service) -> None:
    """One object or a list: 202 after the lines are on disk, in order, with all members."""
    one, many = event(1), [event(number) for number in range(2, 502)]
    assert service.client.post("/v1/events", json=one).json() == {
        "outcomes": [{"event_id": "e1", "outcome": "accepted"}]
    }
    answer = service.client.post("/v1/events", json=many)
    assert answer.status_code == 202
    assert [each["event_id"] for each in answer.json()["outcomes"]] == [each["event_id"] for each in many]
    assert stored(service)[-501:] == [one, *many]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"region": "us"}, "wrong_region"),
        ({"topic": "no-such-topic"}, "not_in_catalogue"),
        ({"at": 1000}, "invalid"),
        ({"at": now_ms() + 3_600_000}, "future"),
        ({"unknown": 1}, "invalid"),
        ({"schema": 2}, "unknown_schema"),
        ({"user_id": ""}, "invalid"),
        ({"locale": "x" * 20_000}, "too_large"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_reject_has_the_reason_of_workers(service: Service, members: dict[str, Any], reason: str) -> None:
    """A rejected event does not stop the others of its request."""
    before = len(stored(service))
    answer = service.client.post("/v1/events", json=[event(1) | members, event(2)])
    assert answer.status_code == 207
    rejected, accepted = answer.json()["outcomes"]
    assert (rejected["event_id"], rejected["outcome"], rejected["reason"]) == ("e1", "rejected", reason)
    assert rejected["detail"]
    assert accepted == {"event_id": "e2", "outcome": "accepted"}
    assert len(stored(service)) == before + 1


def test_hostile_bodies_are_refused(service: Service) -> None:
    """Too many, too large, empty, and no JSON."""
    client = service.client
    problem(client.post("/v1/events", json=[event(1)] * 501), "too-large", 413)
    problem(client.post("/v1/events", content=b"[" + b" " * (1 << 20) + b"]"), "too-large", 413)
    problem(client.post("/v1/events", json=[]), "invalid-request", 400)
    problem(client.post("/v1/events", content=b"[{]"), "invalid-request", 400)
    for body in (b"{", b"\xff", b"7", b'"text"', b'{"type":"interaction","event_id":"e","event_id":7}', b"{" * 9000):
        answer = client.post("/v1/events", content=body)
        assert answer.status_code == 207, answer.text
        assert answer.json()["outcomes"][0]["outcome"] == "rejected"


def test_acknowledged_events_survive_a_kill(tmp_path: Path) -> None:
    """Many clients send at once; after SIGKILL the file has every event that was accepted, each on its own line."""
    accepted: list[str] = []

    def send(service: Service, client: int) -> None:
        number = 0
        with service.with_key(service.key) as connection:
            while True:
                number += 1
                sent = event(number) | {"event_id": f"c{client}-{number}"}
                try:
                    answer = connection.post("/v1/events", json=sent)
                except httpx2.TransportError:
                    return
                assert answer.status_code == 202
                accepted.append(sent["event_id"])

    with serving(tmp_path, REDIS, "--source", "events.jsonl", "--rate-user", "100000") as service:
        clients = [threading.Thread(target=send, args=(service, client)) for client in range(8)]
        for client in clients:
            client.start()
        service.run.wait_for(lambda: len(accepted) > 300, "events to be accepted")
        service.run.process.send_signal(signal.SIGKILL)
        for client in clients:
            client.join()
        lines = (tmp_path / "events.jsonl").read_bytes().split(b"\n")
    names = [json.loads(line)["event_id"] for line in lines[:-1]]
    assert len(names) == len(set(names))
    assert set(accepted) <= set(names)


def test_events_need_a_source(tmp_path: Path) -> None:
    """Without a source, the answer names the setting."""
    with serving(tmp_path, REDIS) as service:
        refused = problem(service.client.post("/v1/events", json=event(1)), "not-configured", 501)
        assert "--source" in refused["detail"]
        problem(service.client.put("/v1/users/ada/pins/tone", json={"value": "formal"}), "not-configured", 501)


@pytest.mark.parametrize("place", ["missing/events.jsonl", "."])
def test_file_that_cannot_be_written_gives_503(tmp_path: Path, place: str) -> None:
    """No event is accepted, and the service is not ready."""
    source = place if place.endswith(".jsonl") else "folder.jsonl"
    if source == "folder.jsonl":
        (tmp_path / source).mkdir()
    with serving(tmp_path, REDIS, "--source", source) as service:
        refused = service.client.post("/v1/events", json=event(1))
        problem(refused, "unavailable", 503)
        assert refused.headers["retry-after"]
        assert "source: does not answer" in service.client.get("/readyz").json()["reasons"]


class TestKafka:
    """A topic as the source."""

    pytestmark = KAFKA_TEST

    def test_accepted_events_are_in_the_topic(self, kafka: Kafka, tmp_path: Path) -> None:
        """202 comes after the acknowledgement, and a record has the user id as its key."""
        topic = kafka.create_topic(partitions=3)
        source = f"kafka://{kafka.servers}/{topic}"
        sent = [event(number) for number in range(50)]
        with serving(tmp_path, REDIS, "--source", source, "--rate-user", "100000") as service:
            assert service.client.post("/v1/events", json=sent).status_code == 202
            records = [*held_records(TopicAddress.parse(source))]
            assert sorted(json.loads(record.value)["event_id"] for record in records) == sorted(
                each["event_id"] for each in sent
            )
            assert all(record.key == json.loads(record.value)["user_id"].encode() for record in records)
            assert service.client.get("/readyz").json()["reasons"] == ["redis: does not answer"]

    def test_broker_that_is_away_gives_503(self, tmp_path: Path) -> None:
        """The answer comes within the time limit, with the time after which to send again."""
        limits = {"tacit_service.event_log.ACKNOWLEDGED_S": 1.0}
        with serving(tmp_path, REDIS, "--source", "kafka://127.0.0.1:1/events", limits=limits) as service:
            for _ in range(2):
                refused = service.client.post("/v1/events", json=event(1))
                problem(refused, "unavailable", 503)
                assert refused.headers["retry-after"]
            refused = service.client.put("/v1/users/ada/pins/tone", json={"value": "formal"})
            problem(refused, "unavailable", 503)
            assert "source: does not answer" in service.client.get("/readyz").json()["reasons"]
