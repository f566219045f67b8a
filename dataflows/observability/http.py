"""HTTP servers of a run, one per process: /metrics, /livez and /readyz."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from socket import AF_INET6
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from dataflows.observability.cut_metrics import CutCollector
from dataflows.observability.metrics import registry
from dataflows.observability.readiness_metrics import ReadinessCollector
from dataflows.observability.watch import ProcessView, Watch
from tacit.errors import ConfigurationError

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
def monitors(address: str, watch: Watch) -> Iterator[None]:
    """Serve each process of a run on a port of its own, from HOST:PORT on, while the context lasts.

    All ports are bound before the first is served.

    Args:
        address: HOST:PORT of the first process; `off`: serve nothing.
        watch: counters and reasons of the run.

    Raises:
        ConfigurationError: an address cannot be bound.
    """
    with ExitStack() as stack:
        if address != "off":
            host, _, port = address.rpartition(":")
            servers = [
                stack.enter_context(_bound(f"{host}:{int(port) + number}", _app(watch, process)))
                for number, process in enumerate(watch.processes)
            ]
            for server in servers:
                stack.enter_context(_served(server))
        yield


@contextmanager
def _bound(address: str, app: Callable[..., Iterable[bytes]]) -> Iterator[WSGIServer]:
    try:
        server = _listening(address)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        raise ConfigurationError([f"metrics: {address} cannot be bound: {why}; name another, or off"]) from error
    with server:
        server.set_app(app)
        yield server


@contextmanager
def _served(server: WSGIServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, args=(_POLL_S,), name="monitor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def _listening(address: str) -> WSGIServer:
    host, _, port = address.rpartition(":")
    kind = _Server6 if host.startswith("[") else _Server
    return kind((host.strip("[]"), int(port)), _Handler)


def _app(watch: Watch, process: ProcessView) -> Callable[..., Iterable[bytes]]:
    served = registry(process)
    served.register(ReadinessCollector(watch))
    if process is watch.processes[0]:
        served.register(CutCollector(watch))
    metrics = make_wsgi_app(served)
    looks = {"/livez": watch.is_alive, "/readyz": watch.is_ready, "/healthz": watch.is_ready}

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return cast("Iterable[bytes]", metrics(environ, start_response))
        if path not in looks:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /livez and /readyz are served here\n"]
        good, body = looks[path]()
        start_response("200 OK" if good else "503 Service Unavailable", [("Content-Type", "application/json")])
        return [json.dumps(body).encode() + b"\n"]

    return serve
