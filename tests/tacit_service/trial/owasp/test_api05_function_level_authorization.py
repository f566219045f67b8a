"""API5:2023 Broken function level authorization: each route with each scope."""

import pytest

from tacit_service.access.callers import SCOPES
from tacit_service.access.links import Links, Visitor
from tests.support.service import LINK_SECRET
from tests.tacit_service.trial.owasp.routes import API, NAMES, ROOMS, ROUTES, USER, Route, Tried
from tests.tacit_service.trial.service import Served

SCOPE_OF = {
    Route("POST", "/v1/choices"): "choose",
    Route("POST", "/v1/choices:batch"): "choose",
    Route("POST", "/v1/events"): "send or manage",
    Route("GET", "/v1/context/{user}"): "choose",
    Route("GET", "/v1/users/{user}"): "manage",
    Route("GET", "/v1/users/{user}/history"): "manage",
    Route("PUT", "/v1/users/{user}/pins/{facet}"): "manage",
    Route("DELETE", "/v1/users/{user}/pins/{facet}"): "manage",
    Route("PUT", "/v1/users/{user}/consent"): "manage",
    Route("DELETE", "/v1/users/{user}/facets/{facet}"): "manage",
    Route("DELETE", "/v1/users/{user}"): "manage",
    Route("GET", "/v1/receipts/{number}"): "manage",
    Route("GET", "/v1/users/{user}/why"): "export",
    Route("GET", "/v1/users/{user}/export"): "export",
    Route("GET", "/v1/changes"): "choose",
    Route("GET", "/v1/catalogue"): "any",
    Route("POST", "/v1/links"): "manage",
    Route("GET", "/livez"): "none",
    Route("GET", "/readyz"): "none",
    Route("GET", "/metrics"): "none",
    Route("GET", "/v1/openapi.json"): "none",
}
"""The scope that each operation needs, written down a second time: a new route without a row fails."""
OPEN_ROOMS = {"/page/static/{name}", "/console/static/{name}", "/console/login"}
"""Routes of rooms that need no session."""
REFUSED = {303, 401, 403, 404, 405}


def test_each_route_has_a_row() -> None:
    """Routes of the page and of the console need a session, and have a test of their own."""
    assert {route for route in ROUTES if route not in ROOMS and route.method != "HEAD"} == {each.route for each in API}
    assert {each.route for each in API} <= set(SCOPE_OF)


@pytest.mark.parametrize("tried", API, ids=NAMES)
def test_scope_of_each_route(service: Served, tried: Tried) -> None:
    """A key without the scope is forbidden, one with it is not, and without a key the request is unauthorized."""
    needed = SCOPE_OF[tried.route]
    for scope in SCOPES:
        may = needed in {"any", "none"} or scope in needed.split(" or ")
        if may and tried.route.path == "/v1/changes":
            continue  # a stream without an end
        answer = service.ask(tried.route.method, tried.route.address, tried.body, key=scope)
        assert (answer.status != 403) == may, (scope, answer)
        assert may or answer.problem == "forbidden"
    if needed != "none":
        assert service.ask(tried.route.method, tried.route.address, tried.body, key="").status == 401


CONTROL: tuple[dict[str, object], ...] = (
    {"type": "consent", "granted": False},
    {"type": "pin", "facet": "length", "value": "concise"},
    {"type": "forget"},
)


@pytest.mark.parametrize("event", CONTROL, ids=[str(event["type"]) for event in CONTROL])
def test_control_events_need_manage(service: Served, event: dict[str, object]) -> None:
    """A key that may send interactions cannot forget a user by the door of events."""
    fixed = {"schema": 1, "event_id": "e", "user_id": USER, "at": 1_790_000_000_000, "region": "eu"}
    answer = service.ask("POST", "/v1/events", fixed | event, key="send")
    assert (answer.status, answer.document["outcomes"][0]["reason"]) == (207, "forbidden")


@pytest.mark.parametrize("route", [route for route in ROOMS if route.path not in OPEN_ROOMS], ids=str)
def test_rooms_need_a_session(service: Served, route: Route) -> None:
    """Neither a key in the header of the API is one, nor the session of another room, nor a link."""
    links, visitor = Links(LINK_SECRET), Visitor(USER, None)
    for key in ("", "choose", "all"):
        assert service.ask(route.method, route.address, key=key).status in REFUSED
    tokens = [links.link(visitor, 300)[0], *([links.session(visitor)] if route.path.startswith("/console") else ())]
    for token in tokens:
        headers = {"Cookie": f"tacit-page={token}; tacit-console={token}"}
        assert service.ask(route.method, route.address, key="", headers=headers).status in REFUSED
