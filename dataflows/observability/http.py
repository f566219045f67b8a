"""HTTP server of a process: /metrics and /healthz."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socket import AF_INET6
from socketserver import ThreadingMixIn
from threading import Thread
from time import monotonic
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from dataflows.observability.metrics import registry
from state.counters import Counters
from tacit.errors import ConfigurationError

STALLED_AFTER_S = 30.0
"""Time without progress after which a process is unhealthy."""

_POLL_S = 0.05
"""Interval at which the server checks for its shutdown."""


class _Server(ThreadingMixIn, WSGIServer):
    """Server with a thread per request: a silent client delays neither other clients nor the shutdown."""

    daemon_threads = True


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 5.0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Log no request."""


@contextmanager
def monitor(address: str, counters: Counters) -> Iterator[None]:
    """Serve /metrics and /healthz on HOST:PORT while the context lasts; `off`: serve nothing.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    if address == "off":
        yield
        return
    try:
        server = _listening(address)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        raise ConfigurationError([f"metrics: {address} cannot be bound: {why}; name another, or off"]) from error
    server.set_app(_app(counters))
    thread = Thread(target=server.serve_forever, args=(_POLL_S,), name="monitor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listening(address: str) -> WSGIServer:
    host, _, port = address.rpartition(":")
    kind = _Server6 if host.startswith("[") else _Server
    return kind((host.strip("[]"), int(port)), _Handler)


def health(counters: Counters) -> tuple[bool, dict[str, Any]]:
    """Return True if the process makes progress (its loop, its source and its writes), and the body of /healthz."""
    age_s = max(0.0, monotonic() - counters.source.progressed_at)
    healthy = age_s < STALLED_AFTER_S
    return healthy, {"healthy": healthy, "progress_age_s": round(age_s, 1), "records": counters.source.records}


def _app(counters: Counters) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(registry(counters))

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return cast("Iterable[bytes]", metrics(environ, start_response))
        if environ["PATH_INFO"] != "/healthz":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics and /healthz are served here\n"]
        healthy, body = health(counters)
        start_response("200 OK" if healthy else "503 Service Unavailable", [("Content-Type", "application/json")])
        return [json.dumps(body).encode() + b"\n"]

    return serve
