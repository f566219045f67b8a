"""Access to the console: only an operator's valid key opens it, and nothing shows a key or a user id."""

import re
from time import time
from urllib.parse import urlencode

import pytest

from dataflows.control.audit import verify_audit
from tacit_service.access.encrypted_tokens import EncryptedTokens
from tacit_service.access.links import Links, Visitor
from tacit_service.console.sessions import COOKIE, SESSION_S
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST
from tests.tacit_service.console.deployment import LINK_SECRET, USER, Answer, Deployment

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

PAGES = ("/console", "/console/user")
PARTS = ("/console/status", "/console/figures")


@pytest.fixture(scope="module")
def cookie(deployment: Deployment) -> str:
    """Return the cookie of an operator's session."""
    return deployment.login("operator")


def assert_closed(deployment: Deployment, cookie: str) -> None:
    """Check that a cookie opens nothing."""
    for path in PAGES:
        found = deployment.get(path, cookie)
        assert (found.status, found.headers["location"], found.text) == (303, "/console/login", "")
    assert [deployment.get(path, cookie).status for path in PARTS] == [401, 401]
    assert deployment.post("/console/user", {"user": USER}, cookie).status == 303


def test_console_needs_a_session(deployment: Deployment) -> None:
    assert_closed(deployment, "")
    assert_closed(deployment, f"{COOKIE}=x")


def test_session_opens_all_pages(deployment: Deployment, cookie: str) -> None:
    assert [deployment.get(path, cookie).status for path in (*PAGES, *PARTS)] == [200] * 4


def test_session_is_a_strict_cookie_without_the_key(deployment: Deployment) -> None:
    key = deployment.keys["operator"]
    found = deployment.post("/console/login", {"key": key})
    name, *attributes = found.headers["set-cookie"].split("; ")
    assert attributes == [f"Max-Age={SESSION_S}", "Path=/console", "HttpOnly", "SameSite=Strict"]
    assert re.fullmatch(rf"{COOKIE}=[A-Za-z0-9_.-]+", name)
    assert key not in name
    assert deployment.get("/console", found.cookie).status == 200


@pytest.mark.parametrize(("key", "status"), [("assistant", 403), ("former", 401)])
def test_key_needs_the_scope_and_its_time(deployment: Deployment, key: str, status: int) -> None:
    found = deployment.post("/console/login", {"key": deployment.keys[key]})
    assert (found.status, found.cookie) == (status, "")
    assert deployment.keys[key] not in found.text


def test_session_ends(deployment: Deployment) -> None:
    """A session of eight hours ago, and the session of a user of the page, open nothing."""
    ended = EncryptedTokens(LINK_SECRET, lambda: time() - SESSION_S - 1)
    session, _ = ended.make("console", {"token": deployment.keys["operator"]}, SESSION_S)
    assert_closed(deployment, f"{COOKIE}={session}")
    assert_closed(deployment, f"{COOKIE}={Links(LINK_SECRET).session(Visitor(USER, None))}")


def test_session_ends_with_its_key(deployment: Deployment) -> None:
    """A line deleted from the file of keys ends the sessions of the key."""
    cookie, file = deployment.login("clerk"), deployment.folder / "keys.jsonl"
    lines = file.read_bytes()
    file.write_bytes(b"".join(line for line in lines.splitlines(keepends=True) if b'"clerk"' not in line))
    try:
        eventually(lambda: deployment.get("/console", cookie).status == 303, within_s=5, what="the end of the session")
        assert_closed(deployment, cookie)
    finally:
        file.write_bytes(lines)
    key = {"key": deployment.keys["clerk"]}
    eventually(lambda: deployment.post("/console/login", key).status == 303, within_s=5, what="the return of the key")


def test_logout_removes_the_cookie(deployment: Deployment, cookie: str) -> None:
    found = deployment.post("/console/logout", {}, cookie)
    assert (found.status, found.headers["location"], found.cookie) == (303, "/console/login", f"{COOKIE}=")
    assert "Max-Age=0; Path=/console" in found.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/console/login", "/console/user", "/console/logout"])
def test_form_of_another_origin_is_refused(deployment: Deployment, cookie: str, path: str) -> None:
    for origin in ("https://example.com", "null", "http://["):
        fields = {"key": deployment.keys["operator"], "user": USER}
        found = deployment.post(path, fields, cookie, origin)
        assert (found.status, found.cookie) == (403, "")


def test_invalid_logins_have_a_rate(deployment: Deployment) -> None:
    """A valid key is not counted, and so not refused for guesses of others behind the same proxy."""
    found: list[Answer] = []

    def is_refused() -> bool:
        found.append(deployment.post("/console/login", {"key": "tk_guess"}))
        return found[-1].status == 429

    eventually(is_refused, within_s=5, what="a refusal")
    assert int(found[-1].headers["retry-after"]) >= 1
    assert {answer.status for answer in found[:-1]} == {401}
    right = {"key": deployment.keys["operator"]}
    assert deployment.post("/console/login", right).status == 303


def test_answers_allow_no_script_of_others(deployment: Deployment, cookie: str) -> None:
    for path in PAGES:
        found = deployment.get(path, cookie)
        policy = found.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "unsafe" not in policy
        assert found.headers["cache-control"] == "no-store"
        assert not re.search(r"<style|<script(?! src=)| style=| on[a-z]+=", found.text)


def test_view_of_a_user_is_audited(deployment: Deployment, cookie: str) -> None:
    """The audit has the operator and the pseudonym, and neither log nor metrics have the id."""
    audit = deployment.folder / "audit.jsonl"
    before = verify_audit([str(audit)]).lines if audit.exists() else 0
    found = deployment.post("/console/user", {"user": USER}, cookie)
    assert found.status == 200
    pseudonym = re.search(r"User <code>(k1\.[0-9a-f]{32})</code>", found.text)
    assert pseudonym is not None
    lines = audit.read_text().splitlines()[before:]
    assert ['"action":"view"' in line for line in lines] == [True, False]
    for line, action in zip(lines, ("view", "why"), strict=True):
        assert f'"action":"{action}","user":"{pseudonym[1]}","by":"operator"' in line
    served = deployment.get("/metrics").text + deployment.get("/console/figures", cookie).text
    assert USER not in found.text + served + deployment.service.output


def test_nothing_is_shown_without_a_line_in_the_audit(deployment: Deployment, cookie: str) -> None:
    audit, away = deployment.folder / "audit.jsonl", deployment.folder / "away"
    assert deployment.post("/console/user", {"user": USER}, cookie).status == 200
    audit.rename(away)
    audit.mkdir()
    try:
        found = deployment.post("/console/user", {"user": USER}, cookie)
    finally:
        audit.rmdir()
        away.rename(audit)
    assert found.status == 503
    assert "Facets" not in found.text


def test_view_shows_knowledge_and_reasons(deployment: Deployment, cookie: str) -> None:
    text = deployment.post("/console/user", {"user": USER}, cookie).text
    assert all(part in text for part in ("Answer length", "Feedback trains", "Text for the assistant", "Next best is"))
    assert "<form method" in text
    assert re.findall(r'action="([^"]+)"', text) == ["/console/logout", "/console/user"]


def test_reasons_need_the_scope_export(deployment: Deployment) -> None:
    text = deployment.post("/console/user", {"user": USER}, deployment.login("clerk")).text
    assert "needs the scope export" in text
    assert "Next best is" not in text


@pytest.mark.parametrize("user", ["", "a" * 129, "a\nb"])
def test_wrong_id_is_explained(deployment: Deployment, cookie: str, user: str) -> None:
    found = deployment.post("/console/user", {"user": user}, cookie)
    assert found.status == 400
    assert "1 to 128 characters" in found.text


def test_large_form_is_refused(deployment: Deployment, cookie: str) -> None:
    assert len(urlencode({"user": "a" * 20_000})) > 10_000
    assert deployment.post("/console/user", {"user": "a" * 20_000}, cookie).status == 400
