"""Destination of retried records: the source topic, or a `.jsonl` file for a later replay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from connectors.files.appending import append_lines
from connectors.kafka.address import TopicAddress
from connectors.kafka.producer import CheckedProducer
from dataflows.rejects.stored import StoredReject
from dataflows.settings import Settings
from state.events.records import KafkaOrigin, Record
from tacit.errors import ConfigurationError

FILE_SUFFIX = ".jsonl"


class Fed(NamedTuple):
    """A record to feed."""

    reject: StoredReject
    record: Record
    """Origin and time are those of the rejected record; the bytes may be repaired."""
    key: bytes | None


class Feed(Protocol):
    """Destination of records."""

    def send(self, batch: Sequence[Fed]) -> None:
        """Return when the destination has acknowledged all records.

        Raises:
            SinkError: it did not; some of the records may have arrived.
        """


@contextmanager
def feed_of(settings: Settings, to: str) -> Iterator[Feed]:
    """Yield the feed into a topic or file.

    Raises:
        ConfigurationError: a file of another kind.
        SinkError: the topic is missing, or no broker answers.
    """
    if not to.startswith("kafka:"):
        if not to.endswith(FILE_SUFFIX):
            raise ConfigurationError([f"to: {to} is neither a topic nor a {FILE_SUFFIX} file; name one of them"])
        yield _FileFeed(Path(to))
        return
    address = settings.topic(to)
    with CheckedProducer(address) as producer:
        producer.require(address.topic)
        yield _TopicFeed(producer, address)


class _FileFeed:
    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, batch: Sequence[Fed]) -> None:
        append_lines(self._path, [fed.record.value for fed in batch])


class _TopicFeed:
    """Feed into a topic: a record of the same topic keeps its partition, so that the events of a user stay in one."""

    def __init__(self, producer: CheckedProducer, address: TopicAddress) -> None:
        self._producer = producer
        self._address = address

    def send(self, batch: Sequence[Fed]) -> None:
        for fed in batch:
            origin = fed.record.origin
            is_same = isinstance(origin, KafkaOrigin) and origin.topic == self._address.topic
            partition = origin.partition if is_same and isinstance(origin, KafkaOrigin) else None
            self._producer.send(
                self._address.topic,
                fed.key,
                fed.record.value,
                at_ms=fed.record.timestamp_ms or None,
                partition=partition,
            )
        self._producer.flush()
