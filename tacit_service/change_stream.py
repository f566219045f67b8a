"""Stream of changes: the users with changed signals, from the feed in Redis to all open streams of this process.

A task reads the feed while a stream is open. An entry can come without a change; a client that may have missed an
entry gets `reset`, and drops all that it keeps.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator
from itertools import islice

import msgspec

from tacit.contract.keys import LIVE, NAMESPACE, RegionKeys
from tacit.reader.changes import FeedId, entries_in, id_of, start_after
from tacit.reader.transport import AsyncTransport

POLL_S = 0.05
_OUTAGE_POLL_S = 0.5
_ACTIVE_EVERY = 20
"""Polls between two looks at the active namespace."""
KEEP_ALIVE_S = 15.0
_PAGE = 100
_KEPT = 1024
"""Messages that a slow client may be behind."""

RESET = b"event: reset\ndata: {}\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

_START: FeedId = (0, 0)


class ChangeStream:
    """Messages of the feed for all streams.

    Args:
        redis: transport.
        keys: keys of the region.
        namespace: namespace to follow; None: the active one.
    """

    def __init__(self, redis: AsyncTransport, keys: RegionKeys, namespace: str | None) -> None:
        self._redis = redis
        self._region_keys = keys
        self._follows_active = namespace is None
        self._keys = keys.within(namespace or LIVE)
        self._last: FeedId = _START
        self._messages: deque[bytes] = deque(maxlen=_KEPT)
        self._count = 0
        self._is_open = True
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Event = asyncio.Event()
        self.readers = 0
        """Open streams."""

    async def messages(self, last_event_id: str) -> AsyncGenerator[bytes, None]:
        """Yield messages until the service ends; keep-alive comments in between.

        Args:
            last_event_id: id of the last message that the client has; empty: none.
        """
        self.readers += 1
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._follow())
            await self._started.wait()
            position = self._count
            if last_event_id:
                async for message in self._missed(last_event_id):
                    yield message
            else:
                yield KEEP_ALIVE
            while self._is_open:
                behind = self._count - position
                if behind > len(self._messages):
                    position = self._count
                    yield RESET
                elif behind:
                    first = len(self._messages) - behind
                    found = [*islice(self._messages, first, first + _PAGE)]
                    position += len(found)
                    yield b"".join(found)
                elif not await self._changed():
                    yield KEEP_ALIVE
        finally:
            self.readers -= 1
            if not self.readers and self._task is not None:
                self._task.cancel()
                self._task = None
                self._started.clear()

    def close(self) -> None:
        """End all streams."""
        self._is_open = False
        self._wake()

    async def _changed(self) -> bool:
        """Wait for the next message; False: a keep-alive is due."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait((self._next,), timeout=KEEP_ALIVE_S)
        return bool(done)

    def _wake(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _add(self, *messages: bytes) -> None:
        self._messages.extend(messages)
        self._count += len(messages)
        self._wake()

    async def _missed(self, last_event_id: str) -> AsyncGenerator[bytes, None]:
        """Yield the messages after an id, or `reset` where the feed may no longer have all of them."""
        last, upto = id_of(last_event_id.encode()), self._last
        while last is not None and last < upto:
            # Both with each page: the feed drops entries while a slow client takes the page before.
            entries, oldest = await self._pages((last, _PAGE), (_START, 1))
            if not entries or not oldest or last < oldest[0][0]:
                break
            yield b"".join([_message(*entry) for entry in entries if entry[0] <= upto])
            last = min(entries[-1][0], upto)
        yield KEEP_ALIVE if last == upto else RESET

    async def _follow(self) -> None:
        has_failed = not await self._skip_to_end()
        self._started.set()
        polls = 0
        while True:
            polls += 1
            if self._follows_active and polls % _ACTIVE_EVERY == 0:
                await self._look_for_active()
            if has_failed:
                await asyncio.sleep(_OUTAGE_POLL_S)
                has_failed = not await self._skip_to_end()
                if not has_failed:
                    self._add(RESET)
                continue
            entries, oldest = await self._pages((self._last, _PAGE), (_START, 1))
            if entries is None or oldest is None:
                has_failed = True
                continue
            if entries:
                has_lost = bool(oldest) and _START < self._last < oldest[0][0]
                self._last = entries[-1][0]
                self._add(*([RESET] if has_lost else []), *[_message(*entry) for entry in entries])
            if len(entries) < _PAGE:
                await asyncio.sleep(POLL_S)

    async def _look_for_active(self) -> None:
        [reply] = await self._redis.execute([("GET", self._region_keys.active)])
        if isinstance(reply, Exception):
            return
        name = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else LIVE
        if name != self._keys.namespace and re.fullmatch(NAMESPACE, name):
            self._keys = self._region_keys.within(name)
            await self._skip_to_end()
            self._add(RESET)

    async def _skip_to_end(self) -> bool:
        """Move behind the newest entry; False: Redis does not answer."""
        self._last = _START
        while entries := await self._page(self._last):
            self._last = entries[-1][0]
        return entries is not None

    async def _page(self, last: FeedId) -> list[tuple[FeedId, list[str]]] | None:
        """Return entries of the feed after an id; None: Redis does not answer."""
        [found] = await self._pages((last, _PAGE))
        return found

    async def _pages(self, *wanted: tuple[FeedId, int]) -> list[list[tuple[FeedId, list[str]]] | None]:
        """Return the pages after some ids, each of at most a number of entries, in one round trip."""
        changes = self._keys.changes
        commands = [("XRANGE", changes, start_after(last), "+", "COUNT", count) for last, count in wanted]
        return [entries_in(reply) for reply in await self._redis.execute(commands)]


def _message(id_: FeedId, users: list[str]) -> bytes:
    data = msgspec.json.encode({"users": users}).decode()
    return f"id: {id_[0]}-{id_[1]}\nevent: changed\ndata: {data}\n\n".encode()
