"""API1:2023 Broken object level authorization: a page session reaches its own user only."""

import pytest

from tacit_service.access.links import Links, Visitor
from tests.support.service import LINK_SECRET
from tests.tacit_service.trial.owasp.routes import API, KNOWN, ROOMS, USER, Route, Tried
from tests.tacit_service.trial.service import CANARY, Served

COOKIE = "tacit-page"


def session(user: str) -> str:
    return Links(LINK_SECRET).session(Visitor(user, None))


CLOSED = [each for each in API if each.operation.scope is not None]


@pytest.mark.parametrize("tried", CLOSED, ids=[" ".join(each.route) for each in CLOSED])
def test_page_session_opens_no_resource_of_the_api(service: Served, tried: Tried) -> None:
    """Neither as a cookie nor as a token, also for the user of the session."""
    token = session(f"{CANARY}-victim")
    as_cookie = {"Cookie": f"{COOKIE}={token}"}
    assert service.ask(tried.route.method, tried.route.address, tried.body, key="", headers=as_cookie).status == 401
    assert service.ask(tried.route.method, tried.route.address, tried.body, key=token).status == 401


PAGES = [route for route in ROOMS if route.path.startswith("/page") and "/static/" not in route.path]


@pytest.mark.parametrize("route", [route for route in PAGES if route.method == "GET"], ids=str)
def test_page_shows_its_own_user_only(service: Served, route: Route) -> None:
    """Parameters and headers that name another user have no effect."""
    other = service.ask("GET", f"/v1/users/{KNOWN}").document["user"]
    headers = {"Cookie": f"{COOKIE}={session(USER)}", "X-User": KNOWN, "X-Forwarded-User": KNOWN}
    answer = service.ask("GET", f"{route.address}?user={KNOWN}&user_id={KNOWN}", key="", headers=headers)
    assert answer.status in {200, 404}
    assert KNOWN not in answer.body.decode()
    assert other not in answer.body.decode()


@pytest.mark.parametrize("route", [route for route in PAGES if route.method == "POST"], ids=str)
def test_form_of_another_page_changes_nothing(service: Served, route: Route) -> None:
    """A session alone is not enough: each form has a token of its user."""
    source = service.run.log.with_name("events.jsonl")
    before = source.stat().st_size
    headers = {"Cookie": f"{COOKIE}={session(USER)}", "Content-Type": "application/x-www-form-urlencoded"}
    form = b"facet=length&value=concise&scope=learn&granted=no&token=x"
    assert service.ask("POST", route.address, form, key="", headers=headers).status == 403
    assert source.stat().st_size == before


def test_no_address_of_page_names_a_user() -> None:
    """The session is the only source of the user, so that there is no id to change."""
    assert not [route for route in ROOMS if "user" in route.path.partition("/page")[2]]


def test_receipt_of_another_user_is_not_found(service: Served) -> None:
    """A number alone is no proof; the answer is that of a receipt that does not exist."""
    done = service.ask("DELETE", f"/v1/users/{CANARY}-owner", key="manage")
    number = done.document["receipt"]
    wrong = service.ask("GET", f"/v1/receipts/{number}?user={CANARY}-other", key="manage")
    missing = service.ask("GET", f"/v1/receipts/r-{'0' * 32}?user={CANARY}-other", key="manage")
    assert service.ask("GET", f"/v1/receipts/{number}?user={CANARY}-owner", key="manage").status in {200, 202}
    assert (wrong.status, wrong.problem) == (missing.status, missing.problem) == (404, "not-found")


@pytest.mark.parametrize("place", ["../../keys", "..%2F..%2Fkeys.jsonl", "%2Fetc%2Fpasswd", "s3:%2F%2Fbucket%2Fkey"])
def test_number_of_a_receipt_is_no_path(service: Served, place: str) -> None:
    """Only numbers of receipts are looked up."""
    assert service.ask("GET", f"/v1/receipts/{place}?user={CANARY}-1").status == 404
