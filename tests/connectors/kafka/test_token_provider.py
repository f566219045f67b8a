"""Tokens of a process: shared, kept while they are valid, and renewed before they expire."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.kafka.token_provider import TokenProvider, token_provider
from state.errors import AccessError
from tests.support.conditions import eventually
from tests.support.token_server import TokenServer, token_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TokenServer]:
    with token_server(tmp_path) as running:
        yield running


def test_token_is_requested_once(server: TokenServer) -> None:
    """All clients of a process share the provider of an endpoint."""
    provider = token_provider(server.endpoint())
    assert provider is token_provider(server.endpoint())
    assert len({provider.token() for _ in range(5)}) == 1
    assert len(server.scopes) == 1


def test_extensions_go_with_the_token(server: TokenServer) -> None:
    """Some brokers choose the cluster by them."""
    provider = TokenProvider(server.endpoint(extensions=(("logicalCluster", "lkc-1"),)))
    assert provider.extensions() == {"logicalCluster": "lkc-1"}


def test_valid_token_is_renewed_in_the_background(server: TokenServer) -> None:
    """After most of its lifetime; the caller does not wait for the new one."""
    provider = TokenProvider(server.endpoint())
    first = provider.token()
    provider._renew_at_s = 0.0  # the time of the renewal has come
    assert provider.token() == first
    eventually(lambda: provider.token() != first, within_s=10, what="another token")
    assert len(server.scopes) == 2


def test_expired_token_is_not_used(server: TokenServer) -> None:
    """The caller waits for another one."""
    server.lifetime_s = 0
    provider = TokenProvider(server.endpoint())
    assert provider.token() != provider.token()


def test_failed_renewal_keeps_the_valid_token(server: TokenServer) -> None:
    """The log shows the outage of the endpoint once; an expired token is an error."""
    server.lifetime_s = 20
    provider = TokenProvider(server.endpoint())
    first = provider.token()
    server.answer = (401, b'{"error": "invalid_client"}')
    with capture_logs() as logs:
        provider._renew_at_s = 0.0  # the time of the renewal has come
        assert provider.token() == first
        eventually(lambda: bool(logs), within_s=10, what="a log of the failed renewal")
    assert [(each["event"], "invalid_client" in each["error"]) for each in logs] == [("kafka_token.failed", True)]
    assert provider.token() == first
    provider._end_s = 0.0  # the token has expired
    with pytest.raises(AccessError, match="gives no token"):
        provider.token()
