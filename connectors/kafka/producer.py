"""Kafka producer that checks the acknowledgement of every record."""

import math
from collections import deque
from collections.abc import Iterable
from time import monotonic
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError, MessageSizeTooLargeError  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress, common_options
from connectors.kafka.cluster import cluster_id
from state.errors import SinkError
from tacit.sender.kafka_topic import abandon

Header = tuple[str, bytes]

DELIVERY_S = 30.0
"""Time limit for the delivery of a record, retries included."""

_MAX_IN_FLIGHT = 2_000
_OPTIONS = {
    "acks": "all",
    "enable_idempotence": True,  # a broker stores a retried record once
    "linger_ms": 5,
    "batch_size": 128 * 1024,
}


class CheckedProducer:
    """Producer that raises `SinkError` for each record that not all in-sync replicas acknowledge in time.

    At most 2,000 records are in flight; above the limit, `send` waits for the oldest. After an error, create another
    producer: the state of the records in flight is unknown.
    """

    def __init__(self, address: TopicAddress, *, delivery_s: float = DELIVERY_S) -> None:
        self._delivery_s = delivery_s
        delivery_ms = math.ceil(delivery_s * 1000)
        limits = {
            "delivery_timeout_ms": delivery_ms,
            "max_block_ms": delivery_ms,
            "request_timeout_ms": min(address.client.request_ms, delivery_ms // 2),  # leaves time for a retry
        }
        self._in_flight: deque[Any] = deque()
        if address.client.protocol != "PLAINTEXT":
            cluster_id(address)  # a producer retries a refusal until its time limit, and does not name the reason
        try:
            self._producer = KafkaProducer(**common_options(address) | _OPTIONS | limits)
        except KafkaError as error:
            raise SinkError(
                f"{address}: no answer ({type(error).__name__}); check the address, and that a broker listens there"
            ) from error

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Iterable[Header] = (),
        *,
        at_ms: int | None = None,
        partition: int | None = None,
    ) -> None:
        """Send a record.

        Args:
            topic: name of the topic.
            key: selects the partition; None for any.
            value: bytes of the record.
            headers: names and values.
            at_ms: Kafka's time of the record, in epoch milliseconds; the current time if None.
            partition: number of the partition; None: the one of the key.

        Raises:
            SinkError: the delivery of this record or an earlier one failed.
        """
        try:
            future = self._producer.send(
                topic, value, key, headers=list(headers), partition=partition, timestamp_ms=at_ms
            )
        except KafkaError as error:
            raise self._sink_error(error, topic) from error
        self._in_flight.append(future)
        if len(self._in_flight) > _MAX_IN_FLIGHT:
            self._await_oldest(_MAX_IN_FLIGHT // 2)

    def flush(self) -> None:
        """Wait for the acknowledgement of every record.

        kafka-python's own flush raises no error of a failed send, and fails after a split of a batch.

        Raises:
            SinkError: the delivery of a record failed.
        """
        self._await_oldest(0)

    def require(self, topic: str) -> None:
        """Check that a broker answers and has the topic.

        Raises:
            SinkError: no broker answers in time, or the topic is missing.
        """
        try:
            self._producer.partitions_for(topic)
        except KafkaError as error:
            raise self._sink_error(error, topic) from error

    def close(self) -> None:
        """Flush, then close the connections; errors as `flush`."""
        try:
            self.flush()
        finally:
            abandon(self._producer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            abandon(self._producer)

    def _await_oldest(self, left: int) -> None:
        """Wait for the oldest records until `left` are in flight."""
        deadline = monotonic() + self._delivery_s
        while len(self._in_flight) > left:
            try:
                self._in_flight.popleft().get(max(0.0, deadline - monotonic()))
            except KafkaError as error:
                raise self._sink_error(error) from error

    def _sink_error(self, error: KafkaError, topic: str | None = None) -> SinkError:
        target = f"the Kafka topic {topic}" if topic else "Kafka"
        if isinstance(error, MessageSizeTooLargeError):
            return SinkError(
                f"a record for {target} is larger than Kafka accepts ({error}); raise max.message.bytes of the topic"
            )
        return SinkError(
            f"{target} did not acknowledge a record within {self._delivery_s:g} s ({type(error).__name__}: {error}); "
            "check that a broker runs there, that the topic exists and that it has enough in-sync replicas"
        )
