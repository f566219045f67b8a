"""Tokens from a real HTTPS endpoint: its answers, and errors that show no secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kafka.token_endpoint import TokenEndpoint
from state.errors import AccessError, SourceError
from tacit.errors import ConfigurationError, TacitError
from tests.support.ports import free_port
from tests.support.token_server import CLIENT_SECRET, TokenServer, token_server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture
def server(folder: Path) -> Iterator[TokenServer]:
    with token_server(folder) as running:
        yield running


def test_client_gets_a_token_for_its_scope(server: TokenServer) -> None:
    """Id and secret may have any character."""
    grant = server.endpoint(scope="api://kafka/.default").request_token()
    assert (grant.token.count("."), grant.lifetime_s) == (2, 3600)
    server.endpoint().request_token()
    assert server.scopes == ["api://kafka/.default", ""]


@pytest.mark.parametrize(
    ("status", "body", "kind", "expected"),
    [
        (400, b'{"error": "invalid_scope"}', AccessError, "HTTP 400, invalid_scope.; correct kafka.token_client_id"),
        (403, b"<html>", AccessError, "HTTP 403.; correct kafka.token_client_id, kafka.token_client_secret"),
        (404, b"", AccessError, "HTTP 404.; correct the address"),
        (429, b"", SourceError, "HTTP 429.; check the token endpoint"),
        (503, b"", SourceError, "HTTP 503.; check the token endpoint"),
        (200, b"<html>", AccessError, "has no access_token"),
        (200, b"[1]", AccessError, "has no access_token"),
        (200, b'{"access_token": "a\\u0001b"}', AccessError, "has no access_token"),
        (200, b'{"access_token": ""}', AccessError, "has no access_token"),
    ],
)
def test_refusal_names_the_remedy(
    server: TokenServer, status: int, body: bytes, kind: type[TacitError], expected: str
) -> None:
    """A busy or broken endpoint may recover; other answers need other settings."""
    server.answer = (status, body)
    with pytest.raises(kind, match=expected) as caught:
        server.endpoint().request_token()
    assert str(caught.value).startswith("kafka.token_url: ")


def test_wrong_secret_is_not_repeated(server: TokenServer) -> None:
    """Neither the secret nor the text of the answer is in the error."""
    endpoint = server.endpoint(client_secret="wrong secret")
    with pytest.raises(AccessError, match=r"gives no token \(HTTP 401, invalid_client\)") as caught:
        endpoint.request_token()
    for text in (str(caught.value), repr(endpoint), repr(server.endpoint())):
        assert "wrong secret" not in text
        assert CLIENT_SECRET not in text
        assert "s:e+cr" not in text


def test_redirect_gets_no_credentials(server: TokenServer) -> None:
    """The credentials are for the host of the settings only."""
    server.answer, server.location = (302, b""), server.url
    with pytest.raises(AccessError, match="redirects; use the address of the endpoint itself"):
        server.endpoint().request_token()
    assert server.scopes == []


def test_untrusted_endpoint_gets_no_credentials(server: TokenServer) -> None:
    """The authorities of the system do not have the test's."""
    with pytest.raises(AccessError, match=r"not trusted .* kafka.token_ca_file"):
        server.endpoint(authorities=None).request_token()
    with pytest.raises(AccessError, match="not trusted"):
        server.endpoint(url=server.url.replace("localhost", "127.0.0.1")).request_token()
    with pytest.raises(ConfigurationError, match=r"kafka.token_ca_file: .*missing.pem cannot be read"):
        server.endpoint(authorities=Path("missing.pem")).request_token()
    assert server.scopes == []


@pytest.mark.parametrize("host", ["localhost", "host.invalid"])
def test_endpoint_that_is_down_may_recover(host: str) -> None:
    """A refused connection and an unknown host are an outage."""
    endpoint = TokenEndpoint(f"https://{host}:{free_port()}/token", "id", "secret")
    with pytest.raises(SourceError, match=f"kafka.token_url: {host} does not answer"):
        endpoint.request_token()


@pytest.mark.parametrize(
    ("body", "lifetime_s"),
    [
        (b'{"access_token": "a.b-c", "expires_in": "60"}', 60),
        (b'{"access_token": "a.b-c", "expires_in": "soon"}', 300),
        (b'{"access_token": "a.b-c"}', 300),
        (b'{"access_token": "a.b-c", "expires_in": null}', 300),
    ],
)
def test_lifetime_has_a_default(server: TokenServer, body: bytes, lifetime_s: float) -> None:
    """An answer need not name the lifetime of its token."""
    server.answer = (200, body)
    assert server.endpoint().request_token().lifetime_s == lifetime_s
