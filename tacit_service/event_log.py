"""Event log: the door to the source of the workers, for interaction events and control events.

A thread writes all events that wait as a batch, and then takes the next batch: an acknowledgement of Kafka, or an fsync
of a file, serves all requests that came meanwhile. The number of waiting events is bounded.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from connectors.files.appending import append_lines
from connectors.kafka.address import TopicAddress
from state.errors import SinkError
from tacit.errors import TacitError

if TYPE_CHECKING:
    from connectors.kafka.producer import CheckedProducer

MAX_WAITING = 20_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Most events, and their bytes, that wait for the writer or are being written."""
_MAX_BATCH = 2_000
ACKNOWLEDGED_S = 10.0
"""Time limit for the acknowledgement by Kafka."""
_PAUSE_S = 1.0
"""Pause after a failed batch, with which all waiting events fail, and in which further ones fail at once."""


class Line(NamedTuple):
    """An event on its way."""

    key: bytes
    """Key of the record: the user id."""
    data: bytes


class FullError(TacitError):
    """Too many events wait for the source."""


class Writer(Protocol):
    """Destination of batches, for a single thread."""

    def write(self, lines: Sequence[Line]) -> None:
        """Write a batch durably; SinkError: it is not known to be written."""

    def check(self) -> None:
        """Check that the destination answers; SinkError: it does not."""

    def close(self) -> None:
        """Close connections."""


class FileWriter:
    """Writer of a `.jsonl` file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, lines: Sequence[Line]) -> None:
        """Append lines, with one fsync."""
        append_lines(self._path, [line.data for line in lines])

    def check(self) -> None:
        """Check that the file can be appended to."""
        append_lines(self._path, [])

    def close(self) -> None:
        """Do nothing: no file stays open."""


class KafkaWriter:
    """Writer of a topic. After an error, the next batch gets a new producer."""

    def __init__(self, topic: TopicAddress) -> None:
        self._topic = topic
        self._producer: CheckedProducer | None = None

    def write(self, lines: Sequence[Line]) -> None:
        """Send records, and wait for the acknowledgement of all."""
        with self._connected() as producer:
            for line in lines:
                producer.send(self._topic.topic, line.key, line.data)
            producer.flush()

    def check(self) -> None:
        """Check that a broker answers and has the topic."""
        with self._connected() as producer:
            producer.require(self._topic.topic)

    def close(self) -> None:
        """Close the connections."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.__exit__(SinkError, None, None)  # without a flush

    @contextmanager
    def _connected(self) -> "Iterator[CheckedProducer]":
        """Yield the producer, and drop the producer if the block raises: the state of records is unknown."""
        from connectors.kafka.producer import CheckedProducer  # a file needs no Kafka client

        if self._producer is None:
            self._producer = CheckedProducer(self._topic, delivery_s=ACKNOWLEDGED_S)
        try:
            yield self._producer
        except BaseException:
            self.close()
            raise


class _Waiting(NamedTuple):
    """Lines of a request; empty for a check of the destination."""

    lines: Sequence[Line]
    done: "Future[None]"


class EventLog:
    """Log with a thread that writes.

    Args:
        writer: destination.
        name: destination in texts: the topic, or the path of the file.
    """

    def __init__(self, writer: Writer, name: str) -> None:
        self.name = name
        self.problem: str | None = None
        """Text of the last error; None: the last batch was written."""
        self._writer = writer
        self._waiting: deque[_Waiting] = deque()
        self._changed = Condition()
        self._lines = self._bytes = 0
        self._failed_s = -_PAUSE_S
        self._is_open = True
        self._thread = Thread(target=self._run, name="event-log", daemon=True)
        self._thread.start()

    def append(self, lines: Sequence[Line]) -> "Future[None]":
        """Return a future that ends when the lines are acknowledged, or with a SinkError.

        Raises:
            FullError: too many events wait.
            SinkError: the destination failed a moment ago, or the log is closed.
        """
        size = sum(len(line.data) for line in lines)
        with self._changed:
            if not self._is_open:
                raise SinkError("the service ends")
            if self.problem is not None and lines and monotonic() - self._failed_s < _PAUSE_S:
                raise SinkError(self.problem)
            if self._lines + len(lines) > MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES:
                raise FullError(f"{self.name}: {self._lines} events wait for an acknowledgement")
            self._lines += len(lines)
            self._bytes += size
            waiting = _Waiting(lines, Future())
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.done

    def check(self) -> "Future[None]":
        """Return a future that ends when the destination has answered; errors as `append`."""
        return self.append(())

    def close(self) -> None:
        """Write the waiting events, then end the thread."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            error = self._written([line for waiting in batch for line in waiting.lines])
            with self._changed:
                self.problem = None if error is None else str(error)
                self._failed_s = monotonic()
                if error is not None:  # the others would wait for the same error
                    batch += self._taken(MAX_WAITING)
                self._release(batch)
            for waiting in batch:
                if error is None:
                    waiting.done.set_result(None)
                else:
                    waiting.done.set_exception(error)
        self._writer.close()

    def _next_batch(self) -> list[_Waiting]:
        """Wait for requests, and return a batch; empty: the log is closed."""
        with self._changed:
            while not (batch := self._taken(_MAX_BATCH)) and self._is_open:
                self._changed.wait()
            return batch

    def _taken(self, most: int) -> list[_Waiting]:
        """Take requests with at most so many lines, and at least one request; drop those of clients that left."""
        batch: list[_Waiting] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0].lines) <= most):
            waiting = self._waiting.popleft()
            if waiting.done.set_running_or_notify_cancel():
                batch.append(waiting)
                count += len(waiting.lines)
            else:
                self._release((waiting,))
        return batch

    def _release(self, requests: Sequence[_Waiting]) -> None:
        """Give back the places of requests."""
        for waiting in requests:
            self._lines -= len(waiting.lines)
            self._bytes -= sum(len(line.data) for line in waiting.lines)

    def _written(self, lines: Sequence[Line]) -> TacitError | None:
        try:
            if lines:
                self._writer.write(lines)
            else:
                self._writer.check()
        except TacitError as error:
            if self.problem is None:
                structlog.get_logger("events").warning("source.unavailable", problem=str(error))
            return error
        except Exception as error:
            structlog.get_logger("events").exception("source.failed")
            return SinkError(f"{self.name}: {type(error).__name__}")
        if self.problem is not None:
            structlog.get_logger("events").info("source.recovered")
        return None


def event_log(source: TopicAddress | Path) -> EventLog:
    """Return the log of a source of the workers."""
    writer: Writer = KafkaWriter(source) if isinstance(source, TopicAddress) else FileWriter(source)
    return EventLog(writer, str(source))
