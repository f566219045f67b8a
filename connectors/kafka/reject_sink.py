"""Writes to Kafka and knows that it arrived: a producer that checks every acknowledgement, and the rejects topic."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

from bytewax.outputs import DynamicSink, StatelessSinkPartition
from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError, MessageSizeTooLargeError  # type: ignore[import-untyped]

from connectors.kafka.address import REQUEST_MS, TopicAddress, common_options
from state.errors import SinkError
from state.events.records import AnyReject

Header = tuple[str, bytes]

DELIVERY_S = 30.0
"""How long a record may take, all tries included, before we give up."""

_MAX_IN_FLIGHT = 2_000
_OPTIONS = {
    "acks": "all",
    "enable_idempotence": True,  # a try that was repeated is stored once
    "linger_ms": 5,
    "batch_size": 128 * 1024,
}


class CheckedProducer:
    """Sends records and raises `SinkError` for any that was not acknowledged by all in-sync replicas in time.

    At most 2,000 records are on their way; beyond that `send` waits for the oldest. After an error make a new one:
    which of the records on their way were stored is unknown.
    """

    def __init__(self, servers: Sequence[str], *, delivery_s: float = DELIVERY_S) -> None:
        self._delivery_s = delivery_s
        delivery_ms = math.ceil(delivery_s * 1000)
        limits = {
            "delivery_timeout_ms": delivery_ms,
            "max_block_ms": delivery_ms,
            "request_timeout_ms": min(REQUEST_MS, delivery_ms // 2),  # room for a second try
        }
        self._on_their_way: deque[Any] = deque()
        self._producer = KafkaProducer(**common_options(tuple(servers)) | _OPTIONS | limits)

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Iterable[Header] = (),
        *,
        at_ms: int | None = None,
    ) -> None:
        """Send a record, with Kafka's time `at_ms` (default: now); raise `SinkError` for this or an earlier one."""
        try:
            future = self._producer.send(topic, value, key, headers=list(headers), timestamp_ms=at_ms)
        except KafkaError as error:
            raise self._failure(error, topic) from error
        self._on_their_way.append(future)
        if len(self._on_their_way) > _MAX_IN_FLIGHT:
            self._settle(_MAX_IN_FLIGHT // 2)

    def flush(self) -> None:
        """Return when all that was sent is acknowledged, or raise `SinkError`.

        kafka-python's own flush raises nothing for failed sends, and fails where it had to split a batch; futures tell.
        """
        self._settle(0)

    def require(self, topic: str) -> None:
        """Raise `SinkError` unless a broker answers and has the topic."""
        try:
            self._producer.partitions_for(topic)
        except KafkaError as error:
            raise self._failure(error, topic) from error

    def close(self) -> None:
        """Flush, then let go of the connections."""
        try:
            self.flush()
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._let_go()

    def _settle(self, left: int) -> None:
        """Check the oldest until `left` are on their way."""
        deadline = monotonic() + self._delivery_s
        while len(self._on_their_way) > left:
            try:
                self._on_their_way.popleft().get(max(0.0, deadline - monotonic()))
            except KafkaError as error:
                raise self._failure(error) from error

    def _let_go(self) -> None:
        with suppress(KafkaError):  # records left over after an error, which is what the caller hears of
            self._producer.close(0)

    def _failure(self, error: KafkaError, topic: str | None = None) -> SinkError:
        where = f"the Kafka topic {topic}" if topic else "Kafka"
        if isinstance(error, MessageSizeTooLargeError):
            return SinkError(f"a record for {where} is larger than Kafka takes ({error})")
        return SinkError(
            f"{where} did not take a record within {self._delivery_s:g} s ({type(error).__name__}: {error}); "
            "check that a broker runs there, that the topic exists and that it has enough in-sync replicas"
        )


class KafkaRejectSink(DynamicSink[AnyReject]):
    """The rejects topic: a batch is written when every record of it is acknowledged."""

    def __init__(self, address: TopicAddress, *, delivery_s: float = DELIVERY_S) -> None:
        self._address = address
        self._delivery_s = delivery_s

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "KafkaRejectPartition":  # noqa: ARG002
        """Connect, and fail now rather than at the first reject if the topic is not there."""
        producer = CheckedProducer(self._address.servers, delivery_s=self._delivery_s)
        producer.require(self._address.topic)
        return KafkaRejectPartition(producer, self._address.topic)


class KafkaRejectPartition(StatelessSinkPartition[AnyReject]):
    """One worker's way to the rejects topic."""

    def __init__(self, producer: CheckedProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    def write_batch(self, items: list[AnyReject]) -> None:
        """Write rejects as JSON, their origin in the headers too; raise `SinkError` if one did not arrive."""
        for reject in items:
            self._producer.send(self._topic, None, reject.to_json(), _headers(reject))
        self._producer.flush()

    def close(self) -> None:
        """Let go of the connections."""
        self._producer.close()


def _headers(reject: AnyReject) -> list[Header]:
    return [(name, str(value).encode()) for name, value in reject.place().items()]
