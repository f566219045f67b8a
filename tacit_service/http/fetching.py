"""Requests of the service to servers that the operator names: within limits of time and size, and no redirect."""

import ssl
from http.client import HTTPException
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

    Raises:
        OSError: the server does not answer.
        ValueError: its answer is no HTTP, or too large.
    """
    try:
        with _opened(url, timeout_s) as answer:
            status, data = answer.status, answer.read(max_bytes + 1)
    except HTTPException as error:
        raise ValueError(f"the answer is no HTTP: {type(error).__name__}") from None
    if len(data) > max_bytes:
        raise ValueError(f"the answer has more than {max_bytes} bytes")
    return status, data


def _opened(url: str, timeout_s: float) -> Any:
    try:
        return _OPENER.open(url, timeout=timeout_s)
    except HTTPError as error:
        return error  # an answer with a status of an error
