"""Requests of the service to servers that the operator names: within limits of time and size, and no redirect."""

import ssl
from http.client import HTTPException
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener


class _NoRedirects(HTTPRedirectHandler):
    """Handler that follows no redirect: the operator names the place."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse the redirect."""


_OPENER = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context()), _NoRedirects())


def fetch(url: str, *, timeout_s: float, max_bytes: int) -> tuple[int, bytes]:
    """Return status and body of a GET request.

    Args:
        url: address.
        timeout_s: limit of each wait, and of the body as a whole.
        max_bytes: limit of the body.

    Raises:
        OSError: the server does not answer.
        ValueError: its answer is no HTTP, too large, or slow.
    """
    try:
        with _opened(url, timeout_s) as answer:
            return answer.status, _body(answer, timeout_s, max_bytes)
    except HTTPException as error:
        raise ValueError(f"the answer is no HTTP: {type(error).__name__}") from None


def _body(answer: Any, timeout_s: float, max_bytes: int) -> bytes:
    until_s = monotonic() + timeout_s
    data = b""
    while part := answer.read1(max_bytes):  # a part at a time, as a slow server sends one before each time limit
        data += part
        if len(data) > max_bytes or monotonic() > until_s:
            raise ValueError(f"the answer is slow, or has more than {max_bytes} bytes")
    return data


def _opened(url: str, timeout_s: float) -> Any:
    try:
        return _OPENER.open(url, timeout=timeout_s)
    except HTTPError as error:
        return error  # an answer with a status of an error
