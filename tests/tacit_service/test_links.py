"""User links and page sessions: encrypted, short-lived, and each of its own use."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tacit_service.access.links import MAX_LINK_S, SESSION_S, Links, Visitor
from tests.support.service import LINK_SECRET, Service, problem, serving

ADA = Visitor("ada@example.org", "de")


class Clock:
    """Clock of tests."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_link_names_the_user_to_a_holder_of_the_secret_only() -> None:
    """No part of the token has the user id in the clear."""
    token, _ = Links(LINK_SECRET).link(ADA, 60)
    parts = [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    assert not any(b"ada" in part for part in parts)
    assert Links(LINK_SECRET).read_link(token) == ADA
    assert Links(LINK_SECRET + "x").read_link(token) is None


def test_link_and_session_end() -> None:
    """A link after its lifetime, a session half an hour after its last renewal."""
    clock = Clock()
    links = Links(LINK_SECRET, clock)
    (token, end_s), session = links.link(ADA, 60), links.session(ADA)
    assert end_s == clock.now_s + 60
    clock.now_s += 59
    assert links.read_link(token) == ADA
    clock.now_s += 1
    assert links.read_link(token) is None
    clock.now_s += SESSION_S - 61
    assert links.read_session(session) == ADA
    clock.now_s += 1
    assert links.read_session(session) is None


def test_link_is_no_session_and_a_session_no_link() -> None:
    """A link from a log opens no page for longer than its own lifetime."""
    links = Links(LINK_SECRET)
    token, _ = links.link(ADA, 60)
    assert links.read_session(token) is None
    assert links.read_link(links.session(ADA)) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c.d.e", "." * 4, "é", "A" * 5000])
def test_damaged_token_is_refused(token: str) -> None:
    """No form of token raises an error."""
    assert Links(LINK_SECRET).read_link(token) is None


def test_changed_token_is_refused() -> None:
    """A change of any part makes the token void."""
    links = Links(LINK_SECRET)
    token, _ = links.link(ADA, 60)
    for number, part in enumerate(token.split(".")):
        if part:
            changed = token.split(".")
            changed[number] = part[:-2] + ("AA" if not part.endswith("AA") else "BB")
            assert links.read_link(".".join(changed)) is None


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service at a public address."""
    with serving(
        tmp_path_factory.mktemp("links"), "redis://127.0.0.1:1", "--public-url", "https://tacit.example/"
    ) as found:
        yield found


def test_service_makes_a_link_for_at_most_15_minutes(service: Service) -> None:
    """At the public address, with its end."""
    answer = service.client.post("/v1/links", json={"user": "ada", "language": "de"})
    assert answer.status_code == 201
    url = answer.json()["url"]
    assert url.startswith("https://tacit.example/page?link=")
    assert Links(LINK_SECRET).read_link(url.partition("=")[2]) == Visitor("ada", "de")
    refused = service.client.post("/v1/links", json={"user": "ada", "expires_in_s": MAX_LINK_S + 1})
    problem(refused, "invalid-request", 400)


def test_links_need_a_secret(tmp_path: Path) -> None:
    """The answer names the variable."""
    with serving(tmp_path, "redis://127.0.0.1:1", TACIT_LINK_SECRET="") as service:
        refused = problem(service.client.post("/v1/links", json={"user": "ada"}), "not-configured", 501)
        assert "TACIT_LINK_SECRET" in refused["detail"]
