"""Bodies of requests, within a limit of size and of time."""

import asyncio
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.types import Message, Receive

from tacit_service.http.problems import ProblemError, member_problem

BODY_S = 10.0
"""Time limit for the arrival of a body."""
MAX_BODY_BYTES = 64 * 1024
"""Default limit of a body."""

Body = TypeVar("Body")


class DisconnectedError(Exception):
    """The client left, or broke the form of chunks, before its body had arrived."""


async def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the body of a request.

    Raises:
        ProblemError: it is too large, is no JSON by its media type, is compressed, or does not arrive in time.
        DisconnectedError: the client left.
    """
    length, media_type, coding = _described(request)
    if length and not (length.isdigit() and len(length) <= len(str(max_bytes)) and int(length) <= max_bytes):
        raise too_large(max_bytes)
    if media_type and media_type.partition(b";")[0].strip().lower() != b"application/json":
        raise ProblemError("unsupported-media-type", "Send the body as application/json.")
    if coding and coding.strip().lower() != b"identity":
        raise ProblemError("unsupported-media-type", "Send the body without a Content-Encoding.")
    try:
        async with asyncio.timeout(BODY_S):
            return await _received(request.receive, max_bytes)
    except TimeoutError:
        raise ProblemError("request-timeout", f"Send the whole body within {BODY_S:g} seconds.") from None


def _described(request: Request) -> tuple[bytes, bytes, bytes]:
    """Return length, media type and coding by the headers."""
    length = media_type = coding = b""
    for name, value in request.scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"content-type":
            media_type = value
        elif name == b"content-encoding":
            coding = value
    return length, media_type, coding


async def _received(receive: Receive, max_bytes: int) -> bytes:
    message = await receive()
    data = _part(message)
    if not message.get("more_body"):
        if len(data) > max_bytes:
            raise too_large(max_bytes)
        return data
    parts, size = [data], len(data)
    while message.get("more_body"):
        if size > max_bytes:
            raise too_large(max_bytes)
        message = await receive()
        parts.append(_part(message))
        size += len(parts[-1])
    if size > max_bytes:
        raise too_large(max_bytes)
    return b"".join(parts)


def _part(message: Message) -> bytes:
    if message["type"] != "http.request":
        raise DisconnectedError
    part: bytes = message.get("body", b"")
    return part


def too_large(max_bytes: int) -> ProblemError:
    """Return the error of a body that is too large; the connection ends, as its rest is not read."""
    detail = f"Send at most {max_bytes} bytes; split the request."
    return ProblemError("too-large", detail, headers={"Connection": "close"})


def decoded(decoder: "msgspec.json.Decoder[Body]", data: bytes) -> Body:
    """Return the document in a body.

    Raises:
        ProblemError: it is no JSON, or a member breaks its rule.
    """
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError("invalid-request", "The body is not valid; see errors.", (member_problem(error),)) from None
