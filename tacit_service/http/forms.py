"""Forms that a browser posts to a page of the service."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from tacit_service.http.bodies import BODY_S

_MAX_FIELDS = 16


async def read_fields(request: Request, max_bytes: int) -> Mapping[str, str]:
    """Return the fields of a posted form.

    Raises:
        ValueError: the body is no form, is too large, or does not arrive in time.
    """
    data = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                data += part
                if len(data) > max_bytes:
                    raise ValueError("the form is too large")
    except TimeoutError:
        raise ValueError("the form does not arrive in time") from None
    return dict(parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS))


def origin_host(request: Request) -> str:
    """Return host and port of the origin of a posted form; `null` or empty: the browser names none."""
    origin = request.headers.get("origin", "")
    return origin.partition("://")[2] or origin
