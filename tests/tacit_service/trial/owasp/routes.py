"""Routes of the application, and a valid request for each operation of the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.routing import Route as StarletteRoute

from dataflows.settings import Settings
from tacit_service.app import make_app, operations
from tacit_service.http.operations import Operation
from tests.support.service import LINK_SECRET
from tests.tacit_service.trial.service import CANARY

USER = f"{CANARY}-victim"
KNOWN = "user-000001"
"""User with signals in Redis and a row in the state folder."""
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/choices"): {"user": USER, "unit": "u"},
    ("POST", "/v1/choices:batch"): {"requests": [{"user": USER, "unit": "u"}]},
    ("POST", "/v1/events"): [],
    ("PUT", "/v1/users/{user}/pins/{facet}"): {"value": "concise"},
    ("PUT", "/v1/users/{user}/consent"): {"granted": True},
    ("POST", "/v1/links"): {"user": USER},
}
"""Valid body of each operation with one; an empty list of events is invalid, and changes nothing."""
PARTS = {"user": USER, "facet": "length", "number": "r-" + "0" * 32, "name": "x", "scope": "learn"}


class Route(NamedTuple):
    """Method and path, with parts in braces."""

    method: str
    path: str

    @property
    def address(self) -> str:
        """Path with a value for each part."""
        return self.path.format_map(PARTS)


@dataclass(frozen=True, slots=True)
class Tried:
    """Operation with a request that its schema allows."""

    operation: Operation

    @property
    def route(self) -> Route:
        return Route(self.operation.method, self.operation.path)

    @property
    def body(self) -> Any:
        return BODIES.get(self.route)


API = tuple(Tried(operation) for operation in operations())
NAMES = [f"{each.route.method} {each.route.path}" for each in API]


def routes_of_app() -> Iterator[Route]:
    """Yield the routes of an application with all rooms."""
    app = make_app(Settings(secret="0" * 32, link_secret=LINK_SECRET))
    for route in app._app.routes:
        assert isinstance(route, StarletteRoute), f"{route} is no route of methods: add a row for it"
        for method in sorted(route.methods or ()):
            yield Route(method, route.path)


ROUTES = tuple(routes_of_app())
ROOMS = tuple(route for route in ROUTES if route.path.startswith(("/page", "/console")))
"""Routes of the page and of the console; each has sessions of its own."""
