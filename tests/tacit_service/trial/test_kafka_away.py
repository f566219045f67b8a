"""Kafka away: killed and frozen; and the service killed during posts. An event answered by 202 is in the topic."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_reader import Reading
from tests.support.kafka_topics import Kafka
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import CANARY, UNLIMITED, Answer, Served, served

pytestmark = KAFKA_TEST

SHORT = {"tacit_service.event_log.ACKNOWLEDGED_S": 2.0}
"""Limit of an acknowledgement; 10 s otherwise."""
IN_TIME_S = 20.0
"""Far less than the two minutes in which a producer gives up, and time for a busy machine."""
CLIENTS = 4


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with EmbeddedRedis(BINARIES["redis-6.2"]) as redis:
        yield redis.url


def events(name: str, number: int = 1) -> list[dict[str, object]]:
    at_ms = time.time_ns() // 1_000_000
    fixed = {"schema": 1, "type": "consent", "at": at_ms, "region": "eu", "granted": True}
    return [fixed | {"event_id": f"{name}-{each}", "user_id": f"{CANARY}-{each % 50}"} for each in range(number)]


def accepted(answer: Answer) -> list[str]:
    """Return the ids of accepted events; an answer without an outcome has none."""
    if answer.status not in {202, 207}:
        return []
    return [each["event_id"] for each in answer.document["outcomes"] if each["outcome"] == "accepted"]


def ids_in(kafka: Kafka, topic: str) -> Counter[str]:
    """Return event id → number of its records."""
    return Counter(json.loads(record.value)["event_id"] for record in Reading(kafka, topic).bounded())


def refuses_in_time(service: Served, names: Sequence[str]) -> None:
    """Check that events are answered by 503 within the limit, and choices at once."""
    for name in names:
        start = time.monotonic()
        answer = service.ask("POST", "/v1/events", events(name, 3))
        assert time.monotonic() - start < IN_TIME_S
        assert (answer.status, answer.problem) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert service.choose().status == 200
    pin = service.ask("PUT", f"/v1/users/{CANARY}-1/pins/length", {"value": "concise"})
    assert (pin.status, pin.problem) == (503, "unavailable")


def test_killed_and_frozen_kafka(broker: Broker, redis_url: str, tmp_path: Path) -> None:
    """Events are refused in time, those of a killed broker are nowhere, and the service recovers without a restart."""
    topic = broker.create_topic(2)
    source = ("--source", f"kafka://{broker.servers}/{topic}")
    kept: list[str] = []
    with served(tmp_path, redis_url, *source, *UNLIMITED, limits=SHORT) as service:

        def works(name: str) -> bool:
            kept.extend(accepted(service.ask("POST", "/v1/events", events(name, 3))))
            return bool(kept) and kept[-1].startswith(name)

        eventually(lambda: works("before"), within_s=60, what="events in the topic")
        broker.pause()
        refuses_in_time(service, ["frozen-1", "frozen-2"])
        broker.resume()
        eventually(lambda: works("resumed"), within_s=60, what="events after the pause")
        broker.kill()
        refuses_in_time(service, ["killed-1", "killed-2"])
        assert service.ask("GET", "/readyz").document["reasons"] == ["source: does not answer"]
        broker.start()
        eventually(lambda: works("restarted"), within_s=60, what="events after the restart")
        eventually(lambda: service.ask("GET", "/readyz").status == 200, within_s=60, what="readiness")
    found = ids_in(broker, topic)
    assert set(kept) <= set(found)
    assert not [name for name in found if name.startswith("killed")]


def test_kill_of_the_service_loses_no_accepted_event(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Several clients post when the process gets SIGKILL; each event answered by 202 is in the topic, once."""
    topic = kafka.create_topic(4)
    source = ("--source", f"kafka://{kafka.servers}/{topic}")
    answered: list[str] = []
    with served(tmp_path, redis_url, *source, *UNLIMITED) as service:

        def post(client: int) -> None:
            for number in range(100_000):
                try:
                    found = accepted(service.ask("POST", "/v1/events", events(f"{client}-{number}", 20)))
                except OSError:
                    return
                if not found:
                    return
                answered.extend(found)

        threads = [threading.Thread(target=post, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(answered) > 2_000, within_s=60, what="accepted events")
        service.run.kill()
        for thread in threads:
            thread.join()
    found = ids_in(kafka, topic)
    assert {name: found[name] for name in answered} == dict.fromkeys(answered, 1)
    assert len(found) - len(answered) <= CLIENTS * 20, "only the posts that were open may be there without an answer"
