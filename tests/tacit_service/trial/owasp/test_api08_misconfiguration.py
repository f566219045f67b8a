"""API8:2023 Security misconfiguration: headers, origins, versions, traces and defaults."""

import re
from collections.abc import Iterator

import pytest

from tacit_lab.embedded import EmbeddedRedis
from tests.tacit_service.trial.owasp.routes import API, NAMES
from tests.tacit_service.trial.service import Served, served

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
ORIGIN = "https://chat.example"


@pytest.fixture(scope="module")
def with_origin(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("origin"), redis.url, "--cors-origin", ORIGIN) as found:
        yield found


@pytest.mark.parametrize("name", [name for name in NAMES if name != "GET /v1/changes"])
def test_each_answer_has_the_headers(service: Served, name: str) -> None:
    """With a key and without one; no answer names a version of the software, or a cookie."""
    tried = API[NAMES.index(name)]
    for key in ("all", ""):
        answer = service.ask(tried.route.method, tried.route.address, tried.body, key=key)
        assert HEADERS.items() <= answer.headers.items()
        assert not re.search(r"\d", answer.headers.get("server", ""))
        assert not {"x-powered-by", "set-cookie", "access-control-allow-origin"} & set(answer.headers)


def test_no_origin_is_allowed_by_default(service: Served) -> None:
    """Neither a page's own, nor none, nor all; a question of the browser is not answered."""
    for origin in (ORIGIN, "null", "http://127.0.0.1", "*"):
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        for method in ("OPTIONS", "GET"):
            answer = service.ask(method, "/v1/catalogue", headers=asked)
            assert not [header for header in answer.headers if header.startswith("access-control")]
    assert service.ask("OPTIONS", "/v1/choices", headers=asked).status == 405


def test_only_named_origins_are_allowed(with_origin: Served) -> None:
    """Exactly, and without cookies."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = with_origin.ask("OPTIONS", "/v1/choices", key="", headers=asked | {"Origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in allowed.headers
    for origin in (
        "null",
        "*",
        ORIGIN + ".evil.example",
        ORIGIN + ":444",
        "http://chat.example",
        "https://evilchat.example",
    ):
        refused = with_origin.ask("GET", "/v1/catalogue", headers={"Origin": origin})
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/debug", "/admin", "/.env", "/static/", "/server-status", "/"]
)
def test_no_default_resource_of_the_framework(service: Served, path: str) -> None:
    """No documentation site, no debugger, no folder."""
    assert service.ask("GET", path).problem == "not-found"


def test_problem_has_no_trace(service: Served) -> None:
    """No path of the machine, no class, no line of code."""
    for answer in (
        service.ask("POST", "/v1/choices", b"\xff"),
        service.ask("GET", "/nothing"),
        service.ask("PUT", "/livez"),
    ):
        assert not re.search(rb"\.py|Traceback|Error\b|/home|/usr|msgspec|starlette|granian", answer.body)


def test_service_listens_on_loopback_by_default() -> None:
    """Another address is a choice of the operator; so are CORS, keys and links."""
    from dataflows.settings import Settings

    settings = Settings(secret="0" * 32)
    assert settings.listen.startswith("127.0.0.1:")
    assert (settings.cors_origin, settings.keys, settings.jwks, settings.link_secret) == ((), None, None, None)
