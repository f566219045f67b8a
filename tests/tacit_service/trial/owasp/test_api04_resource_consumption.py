"""API4:2023 Unrestricted resource consumption: rates, sizes, counts and waits; hostile and slow clients are further on.

`test_hostile_requests.py`, `test_slow_clients.py` and `test_many_connections.py` have bytes, times and connections.
"""

from collections.abc import Iterator

import pytest

from tacit_lab.embedded import EmbeddedRedis
from tests.tacit_service.trial.service import CANARY, Answer, Served, served

RATE_TOKEN = 40
RATE_USER = 3


@pytest.fixture(scope="module")
def limited(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("limited")
    (folder / "events.jsonl").touch()
    (folder / "receipts").mkdir()
    rates = ("--receipts", str(folder / "receipts"), "--rate-token", str(RATE_TOKEN), "--rate-user", str(RATE_USER))
    with served(folder, redis.url, "--source", str(folder / "events.jsonl"), *rates) as found:
        yield found


def refused(answers: list[Answer]) -> Answer:
    found = [answer for answer in answers if answer.status == 429]
    assert found, [answer.status for answer in answers]
    assert found[0].problem == "too-many-requests"
    assert int(found[0].headers["retry-after"]) >= 1
    assert "r=0" in found[0].headers["ratelimit"]
    return found[0]


def test_rate_of_a_user(limited: Served) -> None:
    """Requests about one user by any token and any operation share a bucket; those about others are served."""
    user = f"{CANARY}-busy"
    asked = [("POST", "/v1/choices", {"user": user, "unit": "u"}), ("GET", f"/v1/users/{user}", None),
             ("GET", f"/v1/context/{user}", None), ("POST", "/v1/links", {"user": user})]  # fmt: skip
    refused([limited.ask(*request) for request in asked * 6])
    assert limited.choose(f"{CANARY}-calm").status == 200


def test_rate_of_a_token(limited: Served) -> None:
    """A batch counts as its choices, and another token is served."""

    def batch(number: int) -> Answer:
        requests = [{"user": f"{CANARY}-{number}-{each}", "unit": "u"} for each in range(RATE_TOKEN)]
        return limited.ask("POST", "/v1/choices:batch", {"requests": requests}, key="choose")

    refused([batch(number) for number in range(10)])
    assert limited.ask("GET", "/v1/catalogue", key="export").status == 200


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v1/choices:batch", {"requests": [{"user": "a", "unit": "u"}] * 501}, "invalid-request"),
        ("/v1/choices:batch", {"requests": []}, "invalid-request"),
        ("/v1/events", [{}] * 501, "too-large"),
        ("/v1/links", {"user": "a", "expires_in_s": 901}, "invalid-request"),
        ("/v1/links", {"user": "a", "expires_in_s": 0}, "invalid-request"),
    ],
)
def test_count_above_its_limit(service: Served, path: str, body: object, kind: str) -> None:
    """Choices, events, and the lifetime of a link."""
    assert service.ask("POST", path, body).problem == kind


@pytest.mark.parametrize("wait", ["10.1", "1e9", "-1", "nan", "inf", "1;2", "0x5", ""])
def test_wait_above_its_limit(service: Served, wait: str) -> None:
    """No client keeps a thread for longer than ten seconds."""
    assert service.ask("DELETE", f"/v1/users/{CANARY}-1/pins/length?wait={wait}").problem == "invalid-request"


def test_event_above_its_limit_is_rejected(service: Served) -> None:
    """16 KiB of one event."""
    event = {"schema": 1, "event_id": "big", "user_id": f"{CANARY}-1", "region": "eu", "type": "consent",
             "at": 1_790_000_000_000, "granted": True, "item": "x" * 17_000}  # fmt: skip
    answer = service.ask("POST", "/v1/events", event)
    assert (answer.status, answer.document["outcomes"][0]["outcome"]) == (207, "rejected")


def test_forgets_without_a_worker_do_not_hold_up_other_actions(limited: Served) -> None:
    """Receipts wait in the background for their effect, up to a minute each; their number is bounded."""
    statuses = {limited.ask("DELETE", f"/v1/users/{CANARY}-many-{number}").status for number in range(RATE_TOKEN)}
    assert 202 in statuses
    assert statuses <= {202, 429, 503}
    pin = limited.ask("PUT", f"/v1/users/{CANARY}-1/pins/length", {"value": "concise"}, key="manage")
    assert pin.status == 202
