"""Redis away: killed, frozen and slow. Choices stay defaults, and reads of users are refused."""

import time
from collections.abc import Iterator

import pytest

from tacit.reader.pool import CONNECT_TIMEOUT_S, TIMEOUT_S
from tacit.reader.transport import MAX_ROUND_TRIP_S
from tests.support.conditions import eventually
from tests.support.redis_faults import FragileRedis, fragile_redis
from tests.tacit_service.trial.service import CANARY, UNLIMITED, Answer, Served, served

REAL = {
    "tacit.reader.transport.TIMEOUT_S": TIMEOUT_S,
    "tacit.reader.transport.CONNECT_TIMEOUT_S": CONNECT_TIMEOUT_S,
    "tacit.reader.transport.MAX_ROUND_TRIP_S": MAX_ROUND_TRIP_S,
}
"""Limits of a read as users have them."""
FAST_S = 5.0
"""A read without a limit waits for as long as Redis is away; a busy machine may need seconds."""
WITHIN_S = 60
USER = f"/v1/users/{CANARY}-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FragileRedis]:
    with fragile_redis(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(scope="module")
def service(server: FragileRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("away")
    (folder / "events.jsonl").touch()
    words = ("--source", str(folder / "events.jsonl"), *UNLIMITED)
    with served(folder, server.url, *words, limits=REAL) as found:
        yield found


def degrades(service: Served) -> None:
    """Check all that the service promises while Redis does not answer."""
    for _ in range(20):
        start = time.monotonic()
        answer = service.choose()
        assert time.monotonic() - start < FAST_S
        assert (answer.status, answer.document["status"]) == (200, "unavailable")
    assert service.ask("GET", f"/v1/context/{CANARY}-1").document["status"] == "unavailable"
    requests = [{"user": f"{CANARY}-{number}", "unit": "u"} for number in range(100)]
    batch = service.ask("POST", "/v1/choices:batch", {"requests": requests}).document["choices"]
    assert {each["status"] for each in batch} == {"unavailable"}
    refused(service.ask("GET", USER))
    ready = service.ask("GET", "/readyz")
    assert (ready.status, ready.document["reasons"]) == (503, ["redis: does not answer"])
    assert service.ask("GET", "/livez").status == 200
    assert service.ask("POST", "/v1/events", consent("while-away")).status == 202


def refused(answer: Answer) -> None:
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def consent(event_id: str) -> dict[str, object]:
    at_ms = time.time_ns() // 1_000_000
    return {"schema": 1, "type": "consent", "event_id": event_id, "user_id": f"{CANARY}-1", "at": at_ms,
            "region": "eu", "granted": True}  # fmt: skip


def recovers(service: Served) -> None:
    """Wait until all answers are whole again, without a restart."""
    eventually(lambda: service.choose().document["status"] == "absent", within_s=WITHIN_S, what="a choice by Redis")
    eventually(lambda: service.ask("GET", "/readyz").status == 200, within_s=WITHIN_S, what="readiness")
    eventually(lambda: service.ask("GET", USER).status == 200, within_s=WITHIN_S, what="a read of a user")


def test_killed_redis(service: Served, server: FragileRedis) -> None:
    """Its port refuses connections, then it is back."""
    recovers(service)
    server.kill()
    degrades(service)
    server.start()
    recovers(service)


def test_frozen_redis(service: Served, server: FragileRedis) -> None:
    """Connections stay open, and no reply comes."""
    recovers(service)
    server.pause()
    try:
        degrades(service)
    finally:
        server.resume()
    recovers(service)


def test_slow_redis(service: Served, server: FragileRedis) -> None:
    """Each reply comes later than the time limit of a read; on a busy machine, a pause may be over before the check."""
    for pause_s in (5, 15, 45):
        recovers(service)
        start = time.monotonic()
        server.client.execute_command("CLIENT", "PAUSE", pause_s * 1_000, "ALL")
        try:
            degrades(service)
            break
        except AssertionError:
            if time.monotonic() - start < pause_s:
                raise
    else:
        raise AssertionError("no pause was long enough")
    recovers(service)
