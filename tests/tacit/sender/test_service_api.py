"""tacit/sender/service_api: each answer of POST /v1/events has its consequence, over one open connection.

The whole path, with a running service, is in tests/tacit_service/test_emitter.py.
"""

from collections.abc import Iterator

import pytest

from tacit import ConfigurationError, Emitter, ServiceApi, Turn
from tacit.sender.destination import ACCEPTED, DeliveryError, EncodedEvent, Outcome
from tests.support.event_api import EventApi, Posted, event_api

KEY = "tk_of_tests"


@pytest.fixture
def api() -> Iterator[EventApi]:
    with event_api() as found:
        yield found


@pytest.fixture
def way(api: EventApi) -> Iterator[ServiceApi]:
    destination = ServiceApi(f"{api.url}/prefix/", KEY)
    yield destination
    destination.close()


def events(count: int) -> list[EncodedEvent]:
    return [EncodedEvent(b"ada", b'{"event_id":"%d"}' % number, False) for number in range(count)]


def test_events_are_one_body_with_the_key(way: ServiceApi, api: EventApi) -> None:
    """And the next ones take the same connection."""
    assert way.deliver(events(2)) == [ACCEPTED] * 2
    assert way.deliver(events(1)) == [ACCEPTED]
    assert api.posted[0][:3] == ("/prefix/v1/events", f"Bearer {KEY}", [{"event_id": "0"}, {"event_id": "1"}])
    assert api.posted[0].connection == api.posted[1].connection


def test_outcomes_are_those_of_the_server(way: ServiceApi, api: EventApi) -> None:
    """One per event."""
    outcomes = [
        {"event_id": "0", "outcome": "accepted"},
        {"event_id": "1", "outcome": "rejected", "reason": "future", "detail": "at"},
        {"event_id": "2", "outcome": "failed", "reason": "unavailable"},
    ]
    api.answers = [(207, {}, {"outcomes": outcomes})]
    assert way.deliver(events(3)) == [ACCEPTED, Outcome("rejected", "future"), Outcome("failed", "unavailable")]


@pytest.mark.parametrize("document", [None, {"outcomes": []}, {"outcomes": [{"outcome": "lost"}]}, "text", 5])
def test_answer_without_outcomes_is_a_failure(document: object, way: ServiceApi, api: EventApi) -> None:
    """Nothing is known of the events then."""
    api.answers = [(207, {}, document)]
    with pytest.raises(DeliveryError, match="an answer without an outcome per event"):
        way.deliver(events(1))


@pytest.mark.parametrize(
    ("status", "headers", "after_s"),
    [
        (429, {"Retry-After": "7"}, 7),
        (503, {"Retry-After": "100000"}, 60),
        (503, {"Retry-After": "Sun, 29 Nov 2026 12:00:00 GMT"}, 0),
        (500, {}, 0),
        (401, {}, 0),
        (403, {}, 0),
        (404, {}, 0),
        (301, {"Location": "http://127.0.0.1:1/"}, 0),
    ],
)
def test_refusal_for_now_is_a_failure(
    status: int, headers: dict[str, str], after_s: float, way: ServiceApi, api: EventApi
) -> None:
    """With the time to wait; a redirect could take the key elsewhere, and is not followed."""
    api.answers = [(status, headers, None)]
    with pytest.raises(DeliveryError, match=f"http: status {status}") as caught:
        way.deliver(events(2))
    assert caught.value.retry_after_s == after_s
    assert len(api.posted) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_bad_event_does_not_spoil_its_batch(status: int, way: ServiceApi, api: EventApi) -> None:
    """The body is parted until the bad event is alone."""

    def answer(posted: Posted) -> tuple[int, dict[str, str], object]:
        is_bad = any(event["event_id"] == "3" for event in posted.events)
        return (status, {}, {"type": "/problems/invalid"}) if is_bad else (202, {}, None)

    api.answers = [answer] * 20
    bad = Outcome("rejected", "invalid")
    assert way.deliver(events(5)) == [ACCEPTED, ACCEPTED, ACCEPTED, bad, ACCEPTED]


def test_closed_idle_connection_costs_one_repeat(way: ServiceApi, api: EventApi) -> None:
    """Servers close connections that are idle."""
    way.deliver(events(1))
    api.answers = [None]
    assert way.deliver(events(1)) == [ACCEPTED]
    assert len(api.posted) == 3


def test_server_that_hangs_up_is_a_failure(way: ServiceApi, api: EventApi) -> None:
    """On a new connection."""
    api.answers = [None]
    with pytest.raises(DeliveryError, match="http: RemoteDisconnected"):
        way.deliver(events(1))


def test_port_without_a_server_is_a_failure() -> None:
    """As while a service restarts."""
    with pytest.raises(DeliveryError, match="http: ConnectionRefusedError"):
        ServiceApi("http://127.0.0.1:1", KEY).deliver(events(1))


def test_server_without_an_answer_is_a_failure_within_the_limit(api: EventApi) -> None:
    """The emitter's thread is not held."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        way = ServiceApi(f"http://127.0.0.1:{silent.getsockname()[1]}", KEY, timeout_s=0.05)
        with pytest.raises(DeliveryError, match="http: TimeoutError"):
            way.deliver(events(1))


def test_emitter_sends_again_after_an_outage(api: EventApi) -> None:
    """Nothing is lost."""
    api.answers = [(503, {}, None), None, (202, {}, None)]
    with Emitter(ServiceApi(api.url, KEY)) as emitter:
        emitter.send(Turn("ada", "eu", "t-1", {}).event(event_id="e-1"))
        assert emitter.flush(10)
        assert emitter.counts().sent == 1
    assert {event["event_id"] for posted in api.posted for event in posted.events} == {"e-1"}


@pytest.mark.parametrize(
    "url",
    [
        "tacit",
        "ftp://a",
        "http://",
        "https://user:pass@host",
        "http://host?x=1",
        "http://[",
        "http://host:99999",
        "http://host:0",
        "http://host/a b",
    ],
)
def test_other_url_is_an_error_without_the_url(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError, match="URL of the HTTP API: http://HOST:PORT") as caught:
        ServiceApi(url, KEY)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1]", "https://[fe80::abcd]"])
def test_ipv6_address_without_a_port_has_the_port_of_its_scheme(url: str) -> None:
    """Its last part is no port: the connection fails, not the look-up of a name."""
    with pytest.raises(DeliveryError, match=r"http: (ConnectionRefusedError|OSError|TimeoutError)"):
        ServiceApi(url, KEY, timeout_s=0.2).deliver(events(1))


@pytest.mark.parametrize("key", ["", "tk_\n", "tk é"])
def test_key_with_other_characters_is_an_error(key: str) -> None:
    """A header could be forged by it."""
    with pytest.raises(ConfigurationError, match="key of the HTTP API"):
        ServiceApi("http://host", key)
