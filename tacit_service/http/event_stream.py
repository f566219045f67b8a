"""Answer that sends server-sent events until the client leaves, its token is void, or the service ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_HEADERS = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]


class EventStream(Response):
    """Answer of messages without an end.

    Args:
        messages: encoded messages; keep-alive comments are among them.
        is_permitted: function that returns False once the token is void; the stream then ends.
    """

    def __init__(self, messages: AsyncGenerator[bytes], is_permitted: Callable[[], bool]) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self.raw_headers = _HEADERS
        self._messages = messages
        self._is_permitted = is_permitted

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer (ASGI)."""
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
        left = asyncio.ensure_future(_left(receive))
        sending = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait((left, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            sending.cancel()
            await asyncio.gather(left, sending, return_exceptions=True)
            await self._messages.aclose()

    async def _send(self, send: Send) -> None:
        async for message in self._messages:
            if not self._is_permitted():
                break
            await send({"type": "http.response.body", "body": message, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
