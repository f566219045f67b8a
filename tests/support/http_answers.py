"""Server with given answers: one per connection, for faults that a real server does not show on request."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

SECRET = "secret-of-the-answers"
"""Secret of the access; each error answer has it, too."""


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, answers: Sequence[bytes]) -> Iterator[None]:
    """Set the variables of S3 for a server that gives each answer to one request; b"" ends the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tacit")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    def serve() -> None:
        with suppress(OSError):
            for each in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(each)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.close()


def answer(status: str, body: str = "", *, length: int | None = None, headers: str = "") -> bytes:
    """Return an answer, with another length than that of the body if one is given."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\nConnection: close\r\n"
        f"Last-Modified: Sun, 29 Nov 2026 12:00:00 GMT\r\n{headers}\r\n{body}"
    ).encode()


def error_answer(status: str, code: str) -> bytes:
    """Return an answer with a code, in the form of S3, Azure and Google."""
    return answer(status, f"<Error><Code>{code}</Code><Message>see {SECRET}</Message></Error>")
