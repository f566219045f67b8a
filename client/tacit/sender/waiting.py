"""Events that wait for their delivery: a bounded queue that gives up interactions before control events."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from tacit.errors import QueueFullError
from tacit.sender.destination import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, EncodedEvent


class Waiting(NamedTuple):
    """Event with its place in the order of sending."""

    number: int
    event: EncodedEvent


class WaitingEvents:
    """Queue in the order of sending; safe for one thread at a time.

    Where the queue is full, the oldest interaction is dropped. A control event is never dropped.

    Args:
        max_events: most events that wait.
        max_bytes: most bytes of JSON that wait.

    >>> waiting = WaitingEvents(2, 1000)
    >>> like, no = EncodedEvent(b"ada", b"{}", False), EncodedEvent(b"ada", b"{}", True)
    >>> [waiting.add(event) for event in (like, like, no)]
    [0, 0, 1]
    >>> [event.is_control for _, event in waiting.take()]
    [False, True]
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._interactions: deque[Waiting] = deque()
        self._controls: deque[Waiting] = deque()
        self._control_bytes = 0
        self._bytes = 0
        self.added = 0
        """Number of the newest event; the first one has 1."""

    def __len__(self) -> int:
        return len(self._interactions) + len(self._controls)

    @property
    def is_batch(self) -> bool:
        """The events fill a batch."""
        return len(self) >= MAX_BATCH_EVENTS or self._bytes >= MAX_BATCH_BYTES

    @property
    def oldest(self) -> int | None:
        """Number of the oldest event; None without events."""
        heads = [queue[0].number for queue in (self._interactions, self._controls) if queue]
        return min(heads, default=None)

    def add(self, event: EncodedEvent) -> int:
        """Add an event, and return the number of interactions that were dropped, this one included.

        Raises:
            QueueFullError: the event is a control event, and only control events wait.
        """
        size = len(event.data)
        if event.is_control:
            if len(self._controls) >= self._max_events or self._control_bytes + size > self._max_bytes:
                raise QueueFullError(
                    f"{len(self._controls)} control events wait for a destination that takes none; try again later"
                )
        elif self._control_bytes + size > self._max_bytes or len(self._controls) >= self._max_events:
            return 1
        dropped = self._drop(1, size)
        self.added += 1
        self._append(Waiting(self.added, event))
        return dropped

    def take(self) -> list[Waiting]:
        """Remove and return the oldest events, at most one batch."""
        taken: list[Waiting] = []
        left = MAX_BATCH_BYTES
        while len(taken) < MAX_BATCH_EVENTS and (queue := self._next()):
            size = len(queue[0].event.data) + 1
            if size > left:
                break
            left -= size
            taken.append(self._popleft(queue))
        return taken

    def put_back(self, taken: Sequence[Waiting]) -> int:
        """Add events again that `take` returned, at the front, and return the number of dropped interactions."""
        for waiting in reversed(taken):
            queue = self._controls if waiting.event.is_control else self._interactions
            queue.appendleft(waiting)
            self._count(waiting, 1)
        return self._drop(0, 0)

    def _next(self) -> deque[Waiting] | None:
        """Return the queue with the oldest event."""
        if not (self._interactions and self._controls):
            return self._interactions or self._controls or None
        return min(self._interactions, self._controls, key=lambda queue: queue[0].number)

    def _drop(self, events: int, size: int) -> int:
        """Drop the oldest interactions until so many events of this size fit; return their number."""
        dropped = 0
        while self._interactions and (len(self) + events > self._max_events or self._bytes + size > self._max_bytes):
            self._popleft(self._interactions)
            dropped += 1
        return dropped

    def _append(self, waiting: Waiting) -> None:
        (self._controls if waiting.event.is_control else self._interactions).append(waiting)
        self._count(waiting, 1)

    def _popleft(self, queue: deque[Waiting]) -> Waiting:
        waiting = queue.popleft()
        self._count(waiting, -1)
        return waiting

    def _count(self, waiting: Waiting, sign: int) -> None:
        size = sign * len(waiting.event.data)
        self._bytes += size
        if waiting.event.is_control:
            self._control_bytes += size
