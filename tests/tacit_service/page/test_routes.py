"""tacit_service/page/routes: sessions, forms of other origins, headers, and honest answers where a part is away."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis

from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit_lab.embedded import EmbeddedRedis
from tacit_service.access.links import Links, Visitor
from tacit_service.page.form_token import PERIOD_S, FormTokens
from tests.support.commands import SECRET
from tests.support.service import LINK_SECRET, Service, serving
from tests.tacit_service.page.deployment import link


@pytest.fixture(scope="module")
def redis_of_page() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture(scope="module")
def service(redis_of_page: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service on an empty Redis, whose source has no worker."""
    folder = tmp_path_factory.mktemp("routes")
    with serving(folder, redis_of_page.url, "--source", "events.jsonl", "--rate-user", "1000") as found:
        yield found


@pytest.fixture
def browser(service: Service) -> Iterator[httpx2.Client]:
    """Yield a client with a page session of ada."""
    with httpx2.Client(base_url=service.url, timeout=30) as client:
        assert client.get(link(service, "ada")).status_code == 200
        yield client


def token(client: httpx2.Client) -> str:
    """Return the token in the forms of the page."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', client.get("/page").text)
    assert found
    return found[1]


def events(service: Service) -> str:
    path = service.folder / "events.jsonl"
    return path.read_text() if path.exists() else ""


def test_link_gives_a_session_that_each_use_renews(service: Service) -> None:
    """The answer is a page that opens the main one: a redirect from another site would lack the strict cookie."""
    with httpx2.Client(base_url=service.url) as client:
        opened = client.get(link(service, "ada"))
        cookie = opened.headers["set-cookie"]
        assert cookie.endswith("; Path=/page; Max-Age=1800; HttpOnly; SameSite=Strict")
        assert '<meta http-equiv="refresh" content="0; url=/page">' in opened.text
        shown = client.get("/page")
        assert shown.status_code == 200
        assert shown.headers["set-cookie"] != cookie
    assert "ada" not in cookie


def test_answer_is_neither_stored_nor_framed_nor_referred(browser: httpx2.Client) -> None:
    headers = browser.get("/page").headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"


def test_page_has_no_inline_script_or_style(browser: httpx2.Client) -> None:
    text = browser.get("/page").text
    assert re.findall(r"<style|style=|<script(?! src=)|\son\w+=|javascript:|https?://", text) == []


@pytest.mark.parametrize(
    "path", ["/page", "/page/delete", "/page/stop-learning", "/page/export.json", "/page/receipt/r-1"]
)
def test_without_a_session_there_is_a_note(service: Service, path: str) -> None:
    answer = httpx2.get(service.url + path)
    assert answer.status_code == 401
    assert "This link is no longer valid" in answer.text


def test_foreign_or_old_tokens_open_nothing(service: Service) -> None:
    """A link of another secret, one that is over, and a session in place of a link."""
    visitor = Visitor("ada", None)
    other, mine = Links("another secret of links"), Links(LINK_SECRET)
    past = Links(LINK_SECRET, clock_s=lambda: time.time() - 1000)
    for text in (other.link(visitor, 300)[0], past.link(visitor, 300)[0], mine.session(visitor), "", "x" * 5000):
        answer = httpx2.get(f"{service.url}/page", params={"link": text})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    for text in (other.session(visitor), mine.link(visitor, 300)[0], "x"):
        assert httpx2.get(f"{service.url}/page", headers={"Cookie": f"tacit-page={text}"}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://["},
    ],
    ids=str,
)
def test_form_of_another_origin_does_nothing(service: Service, browser: httpx2.Client, headers: dict[str, str]) -> None:
    before = events(service)
    form = {"token": token(browser), "facet": "tone", "value": "formal"}
    for path in ("/page/choose", "/page/delete"):
        answer = browser.post(path, data=form, headers=headers)
        assert answer.status_code == 403
        assert "This did not come from your page" in answer.text
    assert events(service) == before


def test_form_needs_the_token_of_its_user(service: Service, browser: httpx2.Client) -> None:
    before = events(service)
    tokens = FormTokens(LINK_SECRET)
    old = FormTokens(LINK_SECRET, clock_s=lambda: time.time() - 2 * PERIOD_S)
    for text in ("", "é", "0" * 64, tokens.token("bob"), old.token("ada"), FormTokens("another secret").token("ada")):
        answer = browser.post("/page/choose", data={"token": text, "facet": "tone", "value": "formal"})
        assert answer.status_code == 403
    big = browser.post("/page/choose", data={"token": token(browser), "facet": "t" * 5000})
    assert big.status_code == 403
    browser.cookies.clear()
    assert browser.post("/page/choose", data={"token": tokens.token("ada")}).status_code == 401
    assert events(service) == before


def test_effect_that_is_not_visible_in_time_is_reported_as_such(service: Service, browser: httpx2.Client) -> None:
    """The event is sent: no worker carries it out here."""
    form = {"token": token(browser), "facet": "tone", "value": "formal"}
    answer = browser.post("/page/choose", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/page?outcome=late")
    assert "its effect is not visible yet" in browser.get(answer.headers["location"]).text
    assert '"facet":"tone","value":"formal"' in events(service)
    part = browser.post("/page/choose", data=form, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert part.text.startswith('<main id="page">')
    assert "its effect is not visible yet" in part.text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/page/choose", {"facet": "tone", "value": "shouted"}),
        ("/page/choose", {"facet": "colour", "value": "red"}),
        ("/page/learn-again", {}),
        ("/page/forget", {"facet": "colour"}),
        ("/page/wrong", {"facet": "tone", "value": "shouted"}),
        ("/page/consent", {"scope": "everything", "granted": "yes"}),
    ],
    ids=str,
)
def test_value_outside_of_the_catalogue_changes_nothing(
    service: Service, browser: httpx2.Client, path: str, form: dict[str, str]
) -> None:
    before = events(service)
    answer = browser.post(path, data={"token": token(browser), **form})
    assert answer.headers["location"] == "/page?outcome=invalid"
    assert events(service) == before


def test_unknown_action_cannot_be_undone(browser: httpx2.Client) -> None:
    answer = browser.post("/page/undo", data={"token": token(browser), "name": "1-tone"})
    assert answer.headers["location"] == "/page?outcome=gone"


def test_unknown_outcome_has_no_message(browser: httpx2.Client) -> None:
    """No text of the address reaches the page."""
    assert "hello" not in browser.get("/page", params={"outcome": "<b>hello", "language": "hello"}).text


def test_language_of_the_switch_stays_in_the_session(browser: httpx2.Client) -> None:
    german = browser.get("/page", params={"language": "de"})
    assert (german.status_code, german.headers["location"]) == (303, "/page")
    assert '<html lang="de">' in browser.get("/page").text
    assert '<html lang="de">' in browser.get("/page/delete").text


def test_parts_that_are_not_set_up_are_not_offered(browser: httpx2.Client) -> None:
    """Neither a state folder nor receipts, in this service."""
    assert "export.json" not in browser.get("/page").text
    assert browser.get("/page/export.json").status_code == 501
    assert browser.get("/page/receipt/r-1").status_code == 501
    answer = browser.post("/page/delete", data={"token": token(browser)})
    assert (answer.status_code, "Everything is deleted" in answer.text) == (200, True)


def test_files_are_served_by_name_only(service: Service) -> None:
    css = httpx2.get(f"{service.url}/page/static/page.css")
    assert (css.status_code, css.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert css.headers["cache-control"] == "public, max-age=3600"
    for name in ("README.md", "..%2Froutes.py", "%2e%2e/routes.py", ""):
        assert httpx2.get(f"{service.url}/page/static/{name}").status_code == 404


def test_user_with_an_unreadable_gate_sees_no_state_that_may_be_wrong(
    service: Service, browser: httpx2.Client, redis_of_page: EmbeddedRedis
) -> None:
    key = RegionKeys("eu").gate(pseudonym("ada", SECRET.encode()))
    with redis.Redis.from_url(redis_of_page.url) as client:
        client.set(key, "no gate")
        assert browser.get("/page").status_code == 503
        client.delete(key)
    assert browser.get("/page").status_code == 200


def test_requests_of_a_user_are_limited(redis_of_page: EmbeddedRedis, tmp_path: Path) -> None:
    """The link counts, too."""
    with (
        serving(tmp_path, redis_of_page.url, "--rate-user", "0.01") as limited,
        httpx2.Client(base_url=limited.url) as client,
    ):
        client.get(link(limited, "ada"))
        answer = client.get("/page")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 10) == (429, True)
    assert "Please wait a second" in answer.text


def test_without_redis_the_page_reports_it(tmp_path: Path) -> None:
    with EmbeddedRedis() as server:
        with serving(tmp_path, server.url) as found, httpx2.Client(base_url=found.url, timeout=30) as client:
            client.get(link(found, "ada", "de"))
            assert client.get("/page").status_code == 200
            server.__exit__(None, None, None)
            answer = client.get("/page")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "Ihre Seite kann gerade nicht angezeigt werden" in answer.text


def test_without_a_link_secret_there_is_no_page(tmp_path: Path, redis_of_page: EmbeddedRedis) -> None:
    with serving(tmp_path, redis_of_page.url, TACIT_LINK_SECRET="") as service:
        assert httpx2.get(f"{service.url}/page?link=x").status_code == 501
        assert httpx2.get(f"{service.url}/page").status_code == 401
