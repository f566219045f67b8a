"""First layer of the application: request ids, raw paths, headers of security, metrics and the log."""

import re
import secrets
from time import perf_counter
from typing import TYPE_CHECKING, cast

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from tacit_service.service import Service

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
OTHER_METHOD = "other"
"""Method in metrics and logs of a request with a method of its own."""
UNMATCHED = "unmatched"
"""Template in metrics and logs of a request that no route takes."""

_SECURITY = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Headers of every answer without own ones."""

_LOG = structlog.get_logger("service")


class Front:
    """ASGI application around the routes.

    Routes see the raw path: a user id with a slash, percent-encoded, is a single part.

    Args:
        app: application with the routes, for its lifespan.
        routed: its router in further layers, for requests.
        service: shared parts.
        logs: log each request.
    """

    def __init__(self, app: Starlette, routed: ASGIApp, service: "Service", *, logs: bool) -> None:
        self._app = app
        self._routed = routed
        self.service = service
        self._metrics = service.metrics
        self._logs = logs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start_s = perf_counter()
        answer = _Sending(send, _request_id(scope))
        scope["tacit.request_id"] = answer.request_id.decode()
        scope["app"] = self._app
        scope["path"] = scope["raw_path"].decode("latin-1")
        self._metrics.open += 1
        try:
            await self._routed(scope, receive, answer)
        finally:
            self._metrics.open -= 1
            took_s = perf_counter() - start_s
            route = template(scope)
            method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
            self._metrics.count(method, route, answer.status, took_s)
            if self._logs:
                _LOG.info(
                    "request.answered",
                    route=route,
                    method=method,
                    status=answer.status,
                    ms=round(took_s * 1000, 2),
                    request_id=scope["tacit.request_id"],
                    token=scope.get("tacit.caller", ""),
                )


def template(scope: Scope) -> str:
    """Return the template of the route that a request took, which has no part of the path."""
    found = scope.get("route") or scope.get("endpoint")
    return cast("str", getattr(found, "path", UNMATCHED))


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return cast("bytes", value)
    return secrets.token_hex(8).encode()


class _Sending:
    """Send function of ASGI that adds headers and keeps the status."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message["headers"]
            headers = [*given, (b"x-request-id", self.request_id)]
            if len(given) <= 2:  # type and length only
                headers += _SECURITY
            else:
                names = {name for name, _ in given}
                headers += [header for header in _SECURITY if header[0] not in names]
            message["headers"] = headers
        await self._send(message)
