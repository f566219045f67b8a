"""Collector of OpenTelemetry for tests: a real HTTP server that decodes the requests of exporters."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.ports import free_port
from tests.support.threads import served_in_thread


class Collected(NamedTuple):
    """A span, with its ids in hexadecimal."""

    name: str
    trace: str
    span: str
    parent: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, str]
    error: str
    region: str


class Collector:
    """Spans that have arrived."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Collected] = []
        self.raw = b""
        """All requests, for a search."""

    def take(self, body: bytes) -> None:
        """Take the spans of a request."""
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Collected(
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            {e.key: e.value.string_value or str(e.value.int_value) for e in span.attributes},
                            span.status.message,
                            named["tacit.region"],
                        )
                    )

    def of(self, trace: str) -> dict[str, Collected]:
        """Return the spans of a trace by name."""
        found = [span for span in self.spans if span.trace == trace]
        assert len({span.name for span in found}) == len(found), found
        return {span.name: span for span in found}


@contextmanager
def span_collector() -> Iterator[Collector]:
    """Serve a collector while the context lasts."""
    port = free_port()
    collector = Collector(port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name of the base class
            """Take a request."""
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            body = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log no request."""

    with served_in_thread(ThreadingHTTPServer(("127.0.0.1", port), Handler)):
        yield collector
