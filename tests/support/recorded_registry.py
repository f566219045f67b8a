"""Small HTTP server with recorded answers of a schema registry, which tests stop, start and count."""

import json
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from state.events.registered_schema import RegisteredSchema
from tests.support.threads import served_in_thread

NOT_FOUND = {"message": "No content with ID '99' was found.", "error_code": 40403}
"""Answer of Apicurio Registry 3.0.9 to an unknown id; that of Confluent has another message."""


class RecordedRegistry:
    """Registry with the schemas of a test; it records the paths of all requests."""

    def __init__(self, schemas: Mapping[int, RegisteredSchema], *, access: str = "") -> None:
        self.documents: dict[str, Any] = {"/api/schemas/ids/" + str(id_): document(s) for id_, s in schemas.items()}
        self.asked: list[str] = []
        self.status = 0
        """Status of all answers; 0: that of the documents."""
        self.access = f"Basic {b64encode(access.encode()).decode()}" if access else None
        self.url = ""

    @contextmanager
    def serving(self, context: ssl.SSLContext | None = None, port: int = 0) -> Iterator["RecordedRegistry"]:
        """Serve while the block runs."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                registry.asked.append(self.path)
                status, body = registry.answer(self.path, self.headers["Authorization"])
                data = json.dumps(body).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}/api"
        with served_in_thread(server):
            yield self

    def answer(self, path: str, authorization: str | None) -> tuple[int, Any]:
        """Return status and document."""
        if self.status:
            return self.status, {}
        if self.access not in (None, authorization):
            return 401, {"error_code": 401, "message": "Unauthorized"}
        return (200, self.documents[path]) if path in self.documents else (404, NOT_FOUND)


def document(schema: RegisteredSchema, references: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the registry's document of a schema; Confluent leaves out the type of Avro."""
    kind = {} if schema.kind == "AVRO" else {"schemaType": schema.kind}
    return {"schema": schema.text, **kind, "references": list(references)}
