"""Transports of the server: stdio for an assistant on the same machine, streamable HTTP for others."""

import logging
from contextlib import suppress

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tacit_service.http.listening import listening
from tacit_service.mcp.server import bearer

PATH = "/mcp"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
END_S = 20
"""Time limit for open requests at the end of the server: a client may never send the rest of one."""
_MAX_BODY_BYTES = 64 * 1024


def run_stdio(server: MCPServer) -> None:
    """Serve stdin and stdout, until the end of stdin."""
    _quiet()
    server.run("stdio")


def run_http(server: MCPServer, address: str) -> None:
    """Serve streamable HTTP at `PATH`, until a signal; each request brings a key of the service.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    _quiet()
    host = address.rpartition(":")[0].strip("[]")
    app = http_app(server, host)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=END_S
    )
    with listening(address, "http") as (listener, _), suppress(KeyboardInterrupt):
        uvicorn.Server(config).run([listener])


def http_app(server: MCPServer, host: str) -> ASGIApp:
    """Return the application; other addresses than loopback stand behind a proxy, which checks the host."""
    security = None if host in LOOPBACK else TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=_MAX_BODY_BYTES,
        transport_security=security,
        host=host,
    )
    return _WithKey(app)


class _WithKey:
    """Answers 401 to a request without a key; the service checks the key itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and not _has_key(scope):
            detail = "Send a key of the service as Authorization: Bearer KEY; `tacit token` makes one."
            app = JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": 'Bearer realm="tacit"'})
        await app(scope, receive, send)


def _has_key(scope: Scope) -> bool:
    return any(name == b"authorization" and bearer(value.decode("latin-1")) for name, value in scope["headers"])


def _quiet() -> None:
    """Keep user ids out of logs: the libraries log URIs and addresses of requests."""
    for name in ("mcp", "httpx2", "httpcore2", "uvicorn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
