"""Emitter of events: a bounded queue, and a thread that delivers batches."""

import atexit
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Condition, Thread
from types import TracebackType
from typing import NamedTuple, Self
from weakref import WeakSet

from tacit.contract.catalogue import Catalogue
from tacit.contract.events import Event, Interaction
from tacit.errors import ConfigurationError, QueueFullError
from tacit.sender.backoff import Backoff
from tacit.sender.checks import checked
from tacit.sender.destination import DeliveryError, Destination, EncodedEvent, Outcome
from tacit.sender.waiting import Waiting, WaitingEvents

MAX_EVENTS = 10_000
MAX_BYTES = 16 * 1024 * 1024
LINGER_S = 0.02
"""Time for which the first event of a batch waits for further ones."""
CLOSE_S = 2.0
"""Time limit for the last delivery, at the end of the process and in `Emitter.close`."""

_LEAST_BYTES = 64 * 1024
_log = logging.getLogger("tacit.sender")


class EmitterCounts(NamedTuple):
    """Counts of an emitter in a process."""

    waiting: int
    """Events that are not settled yet."""
    sent: int
    """Events that the destination has."""
    retried: int
    """Deliveries of an event after the first delivery."""
    dropped: int
    """Interactions that found no place, and all events that were left when the emitter was closed."""
    rejected: Mapping[str, int]
    """Events that the destination will never take, by reason."""


class Emitter:
    """Emitter of events that never blocks an answer, and never raises an error for a failing destination.

    `send` puts the event into a queue. A thread delivers batches, and repeats failed ones with growing pauses.
    Where the queue is full, the oldest interaction is dropped and counted; a control event that finds no place raises
    QueueFullError. Threads, tasks of asyncio and forked processes may share one emitter; a forked process begins with
    an empty queue.

    ```
    with Emitter(ServiceApi("https://tacit.internal", key)) as emitter:
        emitter.send(turn.feedback("thumbs_up"))
    ```

    Args:
        destination: `KafkaTopic`, `ServiceApi` or `EventFile`.
        catalogue: the names that events may have; None: the contract alone counts.
        max_events: most events that wait.
        max_bytes: most bytes of JSON that wait, at least 64 KiB.
        linger_s: time for which the first event of a batch waits for further ones, at most 50 ms.

    Raises:
        ConfigurationError: a number outside its range.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        catalogue: Catalogue | None = None,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        linger_s: float = LINGER_S,
    ) -> None:
        if max_events < 1 or max_bytes < _LEAST_BYTES or not 0 <= linger_s <= 0.05:
            raise ConfigurationError(
                [f"emitter: max_events from 1, max_bytes from {_LEAST_BYTES}, and linger_s from 0 to 0.05 are allowed"]
            )
        self._destination = destination
        self._catalogue = catalogue
        self._limits = (max_events, max_bytes)
        self._linger_s = linger_s
        self._takes_events = True
        self._is_closed = False
        self._begin()
        _emitters.add(self)

    def _begin(self) -> None:
        """Begin with an empty queue and no thread."""
        self._changed = Condition()
        self._waiting = WaitingEvents(*self._limits)
        self._in_delivery: list[Waiting] = []
        self._thread: Thread | None = None
        self._flushes = self._flushes_seen = 0
        self._sent = self._retried = self._dropped = 0
        self._rejected: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def send(self, event: Event) -> None:
        """Put an event into the queue, in some 10 µs.

        Raises:
            EventError: the event breaks the contract, or names something outside the catalogue.
            QueueFullError: a control event found no place, or the emitter is closed; nothing was sent.
        """
        data = checked(event, self._catalogue)
        self._put(EncodedEvent(event.user_id.encode(), data, not isinstance(event, Interaction)))

    def _put(self, event: EncodedEvent) -> None:
        with self._changed:
            if not self._takes_events:
                if event.is_control:
                    raise QueueFullError("the emitter is closed; send control events before")
                self._dropped += 1
                return
            if self._thread is None:
                self._start()
            self._dropped += self._waiting.add(event)
            if len(self._waiting) == 1 or self._waiting.is_batch:
                self._changed.notify_all()

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until all events so far are settled, and return whether all are; blocks the caller.

        A pause between two attempts ends at once. With asyncio: `await asyncio.to_thread(emitter.flush)`.
        """
        with self._changed:
            newest = self._waiting.added
            self._flushes += 1
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._oldest() > newest, timeout_s)

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Flush, then end the thread; return whether all events are settled.

        Events that are left, and later interactions, count as dropped.
        """
        until_s = time.monotonic() + timeout_s
        with self._changed:
            self._takes_events = False  # else a control event could come between the flush and the end
        is_settled = self.flush(timeout_s)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            self._destination.close()
        else:
            thread.join(max(0.0, until_s - time.monotonic()))
        return is_settled

    def counts(self) -> EmitterCounts:
        """Return the counts of the process, for metrics."""
        with self._changed:
            waiting = len(self._waiting) + len(self._in_delivery)
            return EmitterCounts(waiting, self._sent, self._retried, self._dropped, dict(self._rejected))

    def _oldest(self) -> int:
        """Return the number of the oldest event that is not settled; above the newest number if all events are."""
        numbers = [waiting.number for waiting in self._in_delivery[:1]]
        if (oldest := self._waiting.oldest) is not None:
            numbers.append(oldest)
        return min(numbers, default=self._waiting.added + 1)

    def _start(self) -> None:
        self._thread = Thread(target=self._run, name="tacit-emitter", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter ends, and starts no thread any more
            self._thread = None

    # The thread

    def _run(self) -> None:
        backoff, is_failing = Backoff(), False
        while batch := self._next_batch():
            failure = self._deliver(batch)
            if failure is None:
                backoff.reset()
            if (failure is not None) != is_failing:
                is_failing = not is_failing
                if failure:
                    _log.warning("sender.delivery_failed reason=%s", failure.reason)
                else:
                    _log.warning("sender.delivery_recovered")
            if failure is not None:
                self._pause(backoff.pause_s(at_least_s=failure.retry_after_s))
        self._destination.close()

    def _next_batch(self) -> list[Waiting]:
        """Wait for events, and return a batch; an empty batch ends the thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            self._changed.wait_for(lambda: self._waiting.is_batch or self._is_hurried, self._linger_s)
            self._flushes_seen = self._flushes
            if self._is_closed:
                self._drop_rest()
            self._in_delivery = self._waiting.take()
            return self._in_delivery

    @property
    def _is_hurried(self) -> bool:
        """A flush or a close came since the last batch was taken: no pause then."""
        return self._is_closed or self._flushes > self._flushes_seen

    def _drop_rest(self) -> None:
        lost = 0
        while rest := self._waiting.take():
            lost += len(rest)
        if lost:
            self._dropped += lost
            _log.error("sender.events_lost count=%d", lost)

    def _deliver(self, batch: Sequence[Waiting]) -> DeliveryError | None:
        failure: DeliveryError | None = None
        try:
            outcomes = _required(self._destination.deliver([waiting.event for waiting in batch]), len(batch))
        except DeliveryError as error:
            failure, outcomes = error, [Outcome("failed")] * len(batch)
        except Exception as error:  # a fault of a destination must not end the delivery
            _log.exception("sender.destination_broken")
            failure, outcomes = DeliveryError(type(error).__name__), [Outcome("failed")] * len(batch)
        with self._changed:
            again = self._settle(batch, outcomes)
            if again and failure is None:
                failure = DeliveryError("some events of a batch failed")
            self._changed.notify_all()
        return failure

    def _settle(self, batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> bool:
        """Count a delivery, and put failed events back, with later events of the same users, to keep the order.

        Return whether there are failed events.
        """
        again: list[Waiting] = []
        failed_keys: set[bytes] = set()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            key = waiting.event.key
            if outcome.state == "failed" or key in failed_keys:
                failed_keys.add(key)
                again.append(waiting)
            elif outcome.state == "rejected":
                self._rejected[outcome.reason] += 1
            else:
                self._sent += 1
        self._in_delivery = []
        self._retried += len(again)
        self._dropped += self._waiting.put_back(again)
        return bool(again)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_hurried, seconds)

    def _leave_to_parent(self) -> None:
        """Begin again in a forked process: the parent delivers the events that wait."""
        self._destination.forget_connections()
        self._begin()


def _required(outcomes: Sequence[Outcome], count: int) -> Sequence[Outcome]:
    """Return the outcomes; DeliveryError: the destination did not return one per event."""
    if len(outcomes) != count or not all(isinstance(each, Outcome) for each in outcomes):
        raise DeliveryError("the destination did not return one outcome per event")
    return outcomes


_emitters: WeakSet[Emitter] = WeakSet()


def _close_all() -> None:
    """Close all emitters within a common time limit at the end of the process."""
    until_s = time.monotonic() + CLOSE_S
    for emitter in list(_emitters):
        emitter.close(max(0.0, until_s - time.monotonic()))


def _after_fork() -> None:
    for emitter in list(_emitters):
        emitter._leave_to_parent()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
