"""Proxy in front of a real S3 server: passes requests on, unless a test makes it slow, failing, full or mute."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from urllib.parse import unquote

from tests.support.threads import served_in_thread

UPSTREAM_S = 60.0
SLOW_S = 0.4
"""Delay of each request to a slow storage."""
SLOW_BYTES_PER_S = 256 * 1024
"""Rate of a slow storage for each request."""
HOLD_S = 0.1

_WRITES = ("PUT", "POST")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Trouble(Enum):
    """Behaviour of the storage; the values are statuses of HTTP."""

    NONE = 0
    SLOW = 1
    FAILING = HTTPStatus.SERVICE_UNAVAILABLE
    FULL = HTTPStatus.INSUFFICIENT_STORAGE


class ObjectProxy(ThreadingHTTPServer):
    """Proxy on a port of its own; signatures stay valid, as headers pass unchanged."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = endpoint.removeprefix("http://")
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.trouble = Trouble.NONE
        self.holds = ""
        """Part of the paths whose requests get no answer until this changes; empty: none."""
        self.requests = 0
        self.held = 0
        """Grows while a request gets no answer."""
        self.troubled = 0
        """Number of requests that a trouble slowed or ended."""

    def begin(self, trouble: Trouble) -> None:
        """Set the behaviour from now on."""
        self.trouble = trouble

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that was killed during its request."""


@contextmanager
def object_proxy(endpoint: str) -> Iterator[ObjectProxy]:
    """Yield a running proxy of a server."""
    with served_in_thread(ObjectProxy(endpoint)) as proxy:
        yield proxy


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: ObjectProxy

    def do_GET(self) -> None:
        """Pass any request on, or answer as the trouble has it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        trouble = self.server.trouble
        self.server.requests += 1
        if trouble is Trouble.FAILING or (trouble is Trouble.FULL and self._is_write):
            self.server.troubled += 1
            self._answer(trouble.value, [], f"<Error><Code>{trouble.name}</Code></Error>".encode())
            return
        while self.server.holds and self.server.holds in unquote(self.path):
            self.server.held += 1
            Event().wait(HOLD_S)
        if trouble is Trouble.SLOW:
            self.server.troubled += 1
            Event().wait(SLOW_S + len(body) / SLOW_BYTES_PER_S)
        self._pass_on(body)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815  # names of http.server

    @property
    def _is_write(self) -> bool:
        """True for a request that needs room; a POST of keys deletes them."""
        return self.command in _WRITES and "delete" not in self.path.partition("?")[2].split("&")[0]

    def _pass_on(self, body: bytes) -> None:
        connection = HTTPConnection(self.server.upstream, timeout=UPSTREAM_S)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, HTTPException):  # the server was killed
            self.close_connection = True
            return
        finally:
            connection.close()
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        self._answer(answer.status, headers, data, length)

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, length: str | None = None) -> None:
        with suppress(OSError):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            self.wfile.write(data)
