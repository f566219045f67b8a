"""Round trips to Redis as generators: one code serves threads and asyncio, and does no I/O itself.

https://sans-io.readthedocs.io/how-to-sans-io.html
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

Command = tuple[str | int | bytes, ...]
Reply = object
"""Reply of Redis (to HGETALL a list: field, value, field, value); an exception for a command that failed."""

Request = TypeVar("Request")
Response = TypeVar("Response")
Result = TypeVar("Result")

RoundTrips = Generator[Request, Response, Result]
"""Generator that yields requests, receives the response to each request, and returns a result."""


def run(round_trips: RoundTrips[Request, Response, Result], send: Callable[[Request], Response]) -> Result:
    """Send each request, and return the result.

    >>> def greet():
    ...     name = yield "GET name"
    ...     return f"Hello, {name}."
    >>> run(greet(), {"GET name": "Ada"}.__getitem__)
    'Hello, Ada.'
    """
    request = next(round_trips)
    while True:
        try:
            request = round_trips.send(send(request))
        except StopIteration as end:
            result: Result = end.value
            return result


async def run_async(
    round_trips: RoundTrips[Request, Response, Result], send: Callable[[Request], Awaitable[Response]]
) -> Result:
    """Await each response, and return the result."""
    request = next(round_trips)
    while True:
        try:
            request = round_trips.send(await send(request))
        except StopIteration as end:
            result: Result = end.value
            return result
