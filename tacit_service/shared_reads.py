"""Reads of adaptations that share round trips: requests that come while Redis works are read together.

At a low rate, each request has an own round trip, without a delay. At a high rate, the cost of a round trip is
spread over many.
"""

import asyncio
from collections.abc import Iterable, Iterator

from tacit import Adaptation, AsyncSignalReader
from tacit.reader.reader import USERS_PER_ROUND_TRIP

_MAX_TRIPS = 2
"""Round trips at a time; further requests wait for the end of one."""


class SharedReads:
    """Reads of one event loop.

    Args:
        reader: the reader, which returns defaults where Redis fails.
    """

    def __init__(self, reader: AsyncSignalReader) -> None:
        self._reader = reader
        self._waiting: dict[str, list[asyncio.Future[Adaptation]]] = {}
        self._trips: set[asyncio.Task[None]] = set()
        self._is_due = False

    async def get(self, user_id: str) -> Adaptation:
        """Return the adaptation of one user, as `AsyncSignalReader.get`."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Adaptation] = loop.create_future()
        self._waiting.setdefault(user_id, []).append(found)
        if not self._is_due and len(self._trips) < _MAX_TRIPS:
            self._is_due = True
            loop.call_soon(self._start)
        return await found

    def _start(self) -> None:
        self._is_due = False
        taken = dict([*self._waiting.items()][:USERS_PER_ROUND_TRIP])
        for user_id in taken:
            del self._waiting[user_id]
        if taken:
            trip = asyncio.get_running_loop().create_task(self._read(taken))
            self._trips.add(trip)
            trip.add_done_callback(self._end)

    def _end(self, trip: "asyncio.Task[None]") -> None:
        self._trips.discard(trip)
        if self._waiting and not self._is_due:
            self._start()

    async def _read(self, taken: "dict[str, list[asyncio.Future[Adaptation]]]") -> None:
        try:
            adaptations = await self._reader.get_many([*taken])
        except BaseException as error:
            for future in _open(taken.values()):
                future.set_exception(error)
            return
        for user_id, futures in taken.items():
            for future in _open((futures,)):
                future.set_result(adaptations[user_id])


def _open(futures: "Iterable[list[asyncio.Future[Adaptation]]]") -> "Iterator[asyncio.Future[Adaptation]]":
    """Yield the futures of clients that have not left."""
    return (future for each in futures for future in each if not future.done())
