"""Token endpoint for tests: a real HTTPS server that gives tokens without a signature."""

import base64
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus

import trustme

from connectors.kafka.token_endpoint import TokenEndpoint
from tests.support.threads import served_in_thread

CLIENT_ID, CLIENT_SECRET = "tacit worker", "s:e+cr%t/ö"


class TokenServer:
    """State of the server; tests change it."""

    def __init__(self, port: int, authorities: Path) -> None:
        self.url = f"https://localhost:{port}/token"
        self.authorities = authorities
        self.lifetime_s = 3600.0
        self.answer: tuple[int, bytes] | None = None
        """Status and body in place of a token."""
        self.location = ""
        self.scopes: list[str] = []
        """Scope of each request with the right credentials."""

    def endpoint(self, **changes: object) -> TokenEndpoint:
        """Return the endpoint with the right credentials, except for the changes."""
        options: dict[str, object] = {
            "url": self.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "authorities": self.authorities,
        }
        return TokenEndpoint(**options | changes)  # type: ignore[arg-type]  # by name

    def reply(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, bytes]:
        """Return status and body for a request."""
        if self.answer is not None:
            return self.answer
        credentials = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        if [*map(unquote_plus, credentials)] != [CLIENT_ID, CLIENT_SECRET]:
            return 401, b'{"error": "invalid_client", "error_description": "secret s:e+cr was wrong"}'
        if form["grant_type"] != ["client_credentials"]:
            return 400, b'{"error": "unsupported_grant_type"}'
        self.scopes.append(form.get("scope", [""])[0])
        return 200, json.dumps({"access_token": self._token(), "expires_in": self.lifetime_s}).encode()

    def _token(self) -> str:
        now = int(time.time())
        claims = {"sub": "tacit", "scope": "", "iat": now, "exp": now + int(self.lifetime_s) + 1, "n": len(self.scopes)}
        return ".".join([_encoded({"alg": "none"}), _encoded(claims), ""])


def _encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    """Yield a running server; its authority is in a file of the folder."""
    authority = trustme.CA()
    authorities = folder / "token-authority.pem"
    authority.cert_pem.write_to_path(str(authorities))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state = TokenServer(server.server_address[1], authorities)
    server.state = state  # type: ignore[attr-defined]  # the handler reads it
    with served_in_thread(server):
        yield state


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name that the base class calls
        """Answer a request for a token."""
        state: TokenServer = self.server.state  # type: ignore[attr-defined]  # set above
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status, answer = state.reply(self.headers["Authorization"], parse_qs(body))
        self.send_response(status)
        if state.location:
            self.send_header("Location", state.location)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
