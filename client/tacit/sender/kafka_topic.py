"""Kafka topic as a destination; needs the extra `tacit-signals[kafka]`."""

from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError, MessageSizeTooLargeError  # type: ignore[import-untyped]

from tacit.sender.destination import ACCEPTED, DeliveryError, EncodedEvent, Outcome

DELIVERY_MS = 15_000
"""Time limit for the delivery of a batch, the client's own retries included."""

_OPTIONS = {
    "acks": "all",
    "enable_idempotence": True,  # keeps the order of a partition, and stores a retried record once
    "allow_auto_create_topics": False,
    "delivery_timeout_ms": DELIVERY_MS,
    "request_timeout_ms": DELIVERY_MS // 2,
    "max_block_ms": DELIVERY_MS,
    "reconnect_backoff_max_ms": 1_000,
    "batch_size": 128 * 1024,
    "metrics_enabled": False,
}

_TOO_LARGE = Outcome("rejected", "too_large")
_parents: list[Any] = []
"""Producers of the parent of a forked process, kept so that no destructor writes to their connections."""


class KafkaTopic:
    """A topic of Kafka; the record's key is the user id, so the events of a user stay in order.

    Args:
        servers: `HOST:PORT` of each broker to ask first.
        topic: the workers' topic.
        options: further options of kafka-python's `KafkaProducer`, such as `security_protocol`.
    """

    def __init__(self, servers: Sequence[str], topic: str, **options: Any) -> None:
        self._options = {"bootstrap_servers": list(servers)} | _OPTIONS | options
        self._topic = topic
        self._producer: Any = None

    def deliver(self, events: Sequence[EncodedEvent]) -> Sequence[Outcome]:
        """Send the events, and return once all in-sync replicas have them.

        Raises:
            DeliveryError: a broker did not acknowledge all events in time.
        """
        try:
            if self._producer is None:
                self._producer = KafkaProducer(**self._options)
            return [_outcome(future) for future in [self._sent(event) for event in events]]
        except (KafkaError, OSError) as error:
            self.close()  # the state of its records is unknown
            raise DeliveryError(f"kafka: {type(error).__name__}") from error

    def _sent(self, event: EncodedEvent) -> Any:
        try:
            return self._producer.send(self._topic, event.data, event.key)
        except MessageSizeTooLargeError:
            return None

    def forget_connections(self) -> None:
        """Leave the producer to the parent of this forked process."""
        if self._producer is not None:
            _parents.append(self._producer)
            self._producer = None

    def close(self) -> None:
        """Close the connections, without a wait for records."""
        if self._producer is not None:
            abandon(self._producer)
            self._producer = None


def abandon(producer: Any) -> None:
    """End the thread and the connections of a `KafkaProducer`, without a wait for records.

    With records in flight, the flush in kafka-python's own `close(0)` fails, and the thread would stay.
    """
    producer.flush = lambda *_, **__: None
    producer.close(0)


def _outcome(future: Any) -> Outcome:
    if future is None:
        return _TOO_LARGE
    try:
        future.get(DELIVERY_MS / 1000)
    except MessageSizeTooLargeError:
        return _TOO_LARGE
    return ACCEPTED
