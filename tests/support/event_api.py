"""HTTP server that answers POST /v1/events as a test sets, over connections that stay open."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.support.threads import served_in_thread

Answer = tuple[int, dict[str, str], Any]
"""Status, headers, and the document of the body."""


class Posted(NamedTuple):
    """A request."""

    path: str
    key: str | None
    events: list[dict[str, Any]]
    connection: int
    """Port of the client."""


class EventApi:
    """Requests, and the answers to the next ones; then each event is accepted."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: list[Answer | Callable[[Posted], Answer] | None] = []
        """None: the server closes the connection without an answer."""
        self.url = ""


@contextmanager
def event_api() -> Iterator[EventApi]:
    """Run the server."""
    api = EventApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted = Posted(self.path, self.headers["Authorization"], json.loads(body), self.client_address[1])
            api.posted.append(posted)
            answer = api.answers.pop(0) if api.answers else (202, {}, None)
            if answer is None:
                self.close_connection = True
                return
            status, headers, document = answer(posted) if callable(answer) else answer
            data = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            pass

    with served_in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        api.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield api
