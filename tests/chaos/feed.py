"""Producer: sends records at a steady rate, and enters each record in the ledger first."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from tests.chaos.background import Background
from tests.chaos.ledger import Ledger, Line
from tests.chaos.stream import PARTITIONS
from tests.support.kafka_topics import Kafka

_EVERY_S = 0.05
_ACKNOWLEDGED_S = 30


class Feed(Background):
    """Thread that produces lines until they end or `finish` is called; holds the lock of the ledger on entry."""

    def __init__(self, kafka: Kafka, topic: str, lines: Iterator[Line], ledger: Ledger, per_s: int) -> None:
        super().__init__("feed")
        self._kafka, self._topic = kafka, topic
        self._lines, self._ledger = lines, ledger
        self._chunk = max(1, round(per_s * _EVERY_S))
        self._sending = Lock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the producer after all sent records are acknowledged."""
        with self._sending:
            yield

    def _run(self) -> None:
        # One idempotent request at a time: topic and ledger have the same order.
        options = {"acks": "all", "enable_idempotence": True, "max_in_flight_requests_per_connection": 1}
        with KafkaProducer(bootstrap_servers=self._kafka.servers, **options) as producer:
            while not self._stop.wait(_EVERY_S):
                if not self._send_chunk(producer):
                    return

    def _send_chunk(self, producer: Any) -> bool:
        with self._sending:
            chunk = list(islice(self._lines, self._chunk))
            with self._ledger.lock:
                for line in chunk:
                    self._ledger.take(line)
            sent = [producer.send(self._topic, line.value, line.key, partition=line.partition) for line in chunk]
            for future in sent:
                future.get(_ACKNOWLEDGED_S)
        return bool(chunk)


def everything_in_topic(kafka: Kafka, topic: str) -> list[list[bytes]]:
    """Return the values of all records in order, by partition."""
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    with KafkaConsumer(bootstrap_servers=kafka.servers) as consumer:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        held: dict[Any, list[bytes]] = {place: [] for place in places}
        while any(consumer.position(place) < ends[place] for place in places):
            for place, records in consumer.poll(timeout_ms=500).items():
                held[place] += [record.value for record in records]
    return [held[place] for place in places]
