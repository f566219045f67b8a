"""API9:2023 Improper inventory management: routes, document and scopes are one list."""

import json
from pathlib import Path

from tests.tacit_service.trial.owasp.routes import API, ROOMS, ROUTES, Route
from tests.tacit_service.trial.service import Served

PUBLISHED = Path(__file__).parents[4] / "docs" / "reference" / "openapi.json"
WITHOUT_VERSION = {"/livez", "/readyz", "/metrics"}


def in_document(document: object) -> set[Route]:
    assert isinstance(document, dict)
    return {Route(method.upper(), path) for path, found in document["paths"].items() for method in found}


def test_routes_and_documents_are_equal(service: Served) -> None:
    """The routes of the application, the document of the service and the published one."""
    routes = {route for route in ROUTES if route not in ROOMS and route.method != "HEAD"}
    running = service.ask("GET", "/v1/openapi.json", key="").document
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert routes == in_document(running) == in_document(published) == {each.route for each in API}
    assert running["info"]["version"] == published["info"]["version"]


def test_each_path_of_the_api_has_a_version() -> None:
    """Those of operators have none, as tools expect them where they are."""
    paths = {each.route.path for each in API}
    assert {path for path in paths if not path.startswith("/v1/")} == WITHOUT_VERSION


def test_each_operation_names_its_scope_in_the_document(service: Served) -> None:
    """An operation without a security requirement is one that needs no token."""
    document = service.ask("GET", "/v1/openapi.json").document
    for each in API:
        found = document["paths"][each.route.path][each.route.method.lower()]
        assert bool(found.get("security")) == (each.operation.scope is not None)
        assert {"401", "403"} <= set(found["responses"]) or each.operation.scope is None


def test_metrics_have_templates_and_no_path(service: Served) -> None:
    """A scan of paths adds no series, and no id becomes a label."""
    for number in range(20):
        service.ask("GET", f"/v1/users/scan-{number}")
        service.ask("GET", f"/scan/{number}")
        service.ask(f"SCAN{number}", "/livez")
    text = service.ask("GET", "/metrics").body.decode()
    assert "scan" not in text.lower()
    assert 'route="/v1/users/{user}"' in text
